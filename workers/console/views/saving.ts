import { html, nothing, svg, type TemplateResult } from 'lit-html';
import type { Run } from '../run/run.ts';
import type { Saved } from '../run/saved.ts';
import type { Segmenting } from '../segmenting.ts';
import { problemView } from './parts.ts';

/** What a result can be saved as, and why one of these could not be. */
export function savingView(model: Segmenting, run: Run): TemplateResult {
  const save = (what: Saved) => () => void model.save(run, what);
  const repeatable = model.choices.length > 0 && run.job !== null;
  return html`<div class="saving" role="group" aria-label="Save the result of ${run.ref}">
      <button @click=${save('nifti')}>${downloadIcon()}Label map <span class="fine">.nii.gz</span></button>
      <button @click=${save('seg-nrrd')}>${downloadIcon()}3D Slicer <span class="fine">.seg.nrrd</span></button>
      ${
        run.series === null
          ? nothing
          : html`<button @click=${save('dicom-seg')}>${downloadIcon()}DICOM SEG <span class="fine">.dcm</span></button>`
      }
      ${
        repeatable
          ? html`<button ?disabled=${model.underWay} @click=${() => void model.saveProbabilities(run)}>
              ${downloadIcon()}Probabilities <span class="fine">runs again</span>
            </button>`
          : nothing
      }
    </div>
    ${
      run.series === null
        ? nothing
        : html`<p class="fine">DICOM SEG is made in this browser, and carries the patient and study of the series.</p>`
    }
    ${problemView(run.unsaved)}`;
}

function downloadIcon(): TemplateResult {
  const arrow = svg`<path d="M8 2v8m0 0 3-3m-3 3L5 7M3 13h10" fill="none" stroke="currentColor" stroke-width="1.5" stroke-linecap="round"/>`;
  return html`<svg class="icon" viewBox="0 0 16 16" width="16" height="16" aria-hidden="true">${arrow}</svg>`;
}
