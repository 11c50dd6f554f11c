import { html, nothing, type TemplateResult } from 'lit-html';
import type { Colour, LabelRow } from '../run/label-map.ts';
import { isUnderWay, type Run } from '../run/run.ts';
import type { Segmenting } from '../segmenting.ts';
import { PLANES, type Plane } from '../viewer/pane.ts';
import { millilitres, problemView, status } from './parts.ts';
import { madeBy, reportView } from './report.ts';
import { savingView } from './saving.ts';

const PLANE_NAMES: Readonly<Record<Plane, string>> = {
  all: 'All',
  axial: 'Axial',
  coronal: 'Coronal',
  sagittal: 'Sagittal',
  '3d': '3D',
};

/** The right side: the image, what lies over it, and what that measures. */
export function resultView(model: Segmenting): TemplateResult {
  const empty = model.images.length === 0 && model.runs.length === 0;
  return html`<section class="result" aria-label="Image and result">
    <div class="tools" ?hidden=${empty}>
      <div class="planes" role="group" aria-label="Planes">
        ${PLANES.map(
          (plane) =>
            html`<button aria-pressed=${model.plane === plane} @click=${() => model.setPlane(plane)}>
              ${PLANE_NAMES[plane]}
            </button>`,
        )}
      </div>
      <label class="opacity"
        >Opacity
        <input
          type="range"
          min="0"
          max="1"
          step="0.05"
          .value=${String(model.opacity)}
          @input=${(event: Event) => {
            if (event.target instanceof HTMLInputElement) model.setOpacity(event.target.valueAsNumber);
          }}
        />
      </label>
      <output class="place fine" aria-live="off">${placeText(model)}</output>
    </div>
    <div class="stage-host" data-empty=${empty}>
      ${model.stage.element}
      ${empty ? html`<p class="empty">Your image will be shown here, in three planes and 3D.</p>` : nothing}
    </div>
    <div class="runs" data-runs=${model.runs.length}>
      ${model.runs.map((run) => runView(model, run))}
    </div>
    ${model.extra === null || !isUnderWay(model.extra) ? problemView(model.extra?.problem ?? null) : runView(model, model.extra)}
  </section>`;
}

function placeText({ place, runs }: Segmenting): string {
  if (place === null) return '';
  const mm = place.mm.map((value) => value.toFixed(1)).join(', ');
  const run = runs.filter(({ file }) => file !== null)[place.pane];
  const label = run?.rows.find(({ value }) => value === place.label);
  return `${mm} mm${label === undefined ? '' : ` · ${label.name}`}`;
}

function runView(model: Segmenting, run: Run): TemplateResult {
  return html`<article class="run" aria-label="Result of ${run.ref}">
    <header>
      <h2>${run.output === 'labels' ? run.ref : `Probabilities of ${run.ref}`}</h2>
      ${status(run.state)}
    </header>
    ${isUnderWay(run) ? progressView(run) : nothing} ${problemView(run.problem)}
    ${run.file === null ? nothing : html`${labelsView(model, run)} ${reportView(run)} ${savingView(model, run)} ${madeBy(run)}`}
  </article>`;
}

function progressView({ state, progress, ref }: Run): TemplateResult {
  // Without a value it only says that something goes on.
  return state === 'running'
    ? html`<progress aria-label="Progress of ${ref}" max="1" value=${progress}></progress>`
    : html`<progress aria-label="Progress of ${ref}"></progress>`;
}

function labelsView(model: Segmenting, run: Run): TemplateResult {
  return html`<table class="labels">
    <caption class="unseen">Labels of ${run.ref}</caption>
    <thead>
      <tr>
        <th scope="col">Shown</th>
        <th scope="col">Label</th>
        <th scope="col" class="number">Volume</th>
        <th scope="col" class="number">Voxels</th>
      </tr>
    </thead>
    <tbody>
      ${run.rows.map((row) => labelView(model, run, row))}
    </tbody>
  </table>`;
}

function labelView(model: Segmenting, run: Run, row: LabelRow): TemplateResult {
  const show = (event: Event) => {
    if (!(event.target instanceof HTMLInputElement)) return;
    row.shown = event.target.checked;
    model.recolour(run);
  };
  const paint = (event: Event) => {
    if (!(event.target instanceof HTMLInputElement)) return;
    row.colour = fromHex(event.target.value);
    model.recolour(run);
  };
  return html`<tr>
    <td><input type="checkbox" aria-label="Show ${row.name}" .checked=${row.shown} @change=${show} /></td>
    <th scope="row">
      <input type="color" aria-label="Colour of ${row.name}" .value=${toHex(row.colour)} @input=${paint} />${row.name}
    </th>
    <td class="number">${millilitres(row.ml)} ml</td>
    <td class="number fine">${row.voxels.toLocaleString()}</td>
  </tr>`;
}

function toHex(colour: Colour): string {
  return `#${colour.map((byte) => byte.toString(16).padStart(2, '0')).join('')}`;
}

function fromHex(text: string): Colour {
  const bits = Number.parseInt(text.slice(1), 16);
  return [(bits >> 16) & 255, (bits >> 8) & 255, bits & 255];
}
