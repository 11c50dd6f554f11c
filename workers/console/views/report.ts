import { html, nothing, type TemplateResult } from 'lit-html';
import type { Report } from '../api.ts';
import type { Run } from '../run/run.ts';
import type { View } from './parts.ts';

/** What the service says of a result beyond its volumes: warnings first, then how sure it was of each label. */
export function reportView({ report, ref }: Run): View {
  if (report === null) return nothing;
  const { warnings, labels, omitted } = report;
  return html`${warningsView(warnings)}
    <table class="certainty">
      <caption>
        <span class="unseen">${ref}: </span>How sure it was
      </caption>
      <thead>
        <tr>
          <th scope="col">Label</th>
          <th scope="col" class="number">Pieces</th>
          <th scope="col" class="number">Probability</th>
          <th scope="col" class="number">Entropy</th>
        </tr>
      </thead>
      <tbody>
        ${labels.map(
          (label) =>
            html`<tr>
              <th scope="row">${label.name}</th>
              <td class="number">${label.components}</td>
              <td class="number">${number(label.mean_probability)}</td>
              <td class="number">${number(label.mean_entropy)}</td>
            </tr>`,
        )}
      </tbody>
    </table>
    <p class="fine">
      Pieces hang together by faces, edges or corners. Probability and entropy (in nats) are means over the voxels of the
      label. ${omitted === 0 ? nothing : `${omitted} more labels did not fit into the report.`}
    </p>`;
}

function warningsView(warnings: Report['warnings']): View {
  if (warnings.length === 0) return nothing;
  return html`<div class="warnings" role="note" aria-label="Warnings">
    <strong>Look twice</strong>
    <ul>
      ${warnings.map(({ channel, message }) => html`<li>${channel === null ? nothing : `${channel}: `}${message}</li>`)}
    </ul>
  </div>`;
}

/** Of a label without voxels there is none. */
function number(value: number | null): string {
  return value === null ? '–' : value.toFixed(3);
}

/** Which adapter and base made a result. */
export function madeBy({ job }: Run): TemplateResult | typeof nothing {
  if (job === null) return nothing;
  return html`<details class="fine">
    <summary>Made by</summary>
    <dl>
      <dt>Adapter</dt>
      <dd>${job.adapter}${job.version === null ? '' : ` version ${job.version}`}<br /><code>${job.adapter_digest ?? ''}</code></dd>
      <dt>Base</dt>
      <dd><code>${job.base_digest}</code></dd>
    </dl>
  </details>`;
}
