import { html, nothing, type TemplateResult } from 'lit-html';
import { droppedFiles } from '../image/dropped.ts';
import { ADAPTERS_AT_ONCE, type Choice, type Segmenting } from '../segmenting.ts';
import { dropZone } from './drop-zone.ts';
import { megabytes, problemView, type View } from './parts.ts';

/** The left side: what is segmented, by what, and the button. */
export function inputView(model: Segmenting): TemplateResult {
  const { missing, underWay } = model;
  return html`<section class="input" aria-label="What to segment">
    ${imagesView(model)} ${adaptersView(model)} ${channelsView(model)} ${problemView(model.problem)}
    <div class="go">
      ${
        underWay
          ? html`<button class="danger" @click=${() => model.cancel()}>Cancel</button>`
          : html`<button
              class="primary"
              ?disabled=${missing !== null}
              aria-describedby="missing"
              @click=${() => void model.run()}
            >
              ${model.choices.length > 1 ? 'Segment and compare' : 'Segment'}
            </button>`
      }
      <p id="missing" class="fine">${missing ?? ''}</p>
    </div>
  </section>`;
}

function imagesView(model: Segmenting): TemplateResult {
  const folder = (event: Event) => {
    if (!(event.target instanceof HTMLInputElement)) return;
    const files = [...(event.target.files ?? [])];
    event.target.value = '';
    void model.take(files);
  };
  return html`<div class="step">
    <h2>Image</h2>
    ${dropZone({
      id: 'image-files',
      label: 'Drop a NIfTI file or a DICOM folder',
      hint: 'or click to choose files',
      accept: '',
      multiple: true,
      busy: model.reading,
      onFiles: (files) => void model.take(files),
      onDrop: (event) => {
        if (event.dataTransfer !== null) void droppedFiles(event.dataTransfer).then((files) => model.take(files));
      },
    })}
    <label class="link" for="image-folder"
      ><input id="image-folder" type="file" class="unseen" webkitdirectory multiple @change=${folder} />Choose a DICOM
      folder</label
    >
    <ul class="images" aria-label="Images">
      ${model.images.map(
        (image) =>
          html`<li>
            <span class="name">${image.name}</span>
            <span class="fine">${image.series === null ? 'NIfTI' : 'from DICOM'}, ${megabytes(image.file.size)}</span>
            <button class="quiet" aria-label="Remove ${image.name}" @click=${() => void model.remove(image)}>✕</button>
          </li>`,
      )}
    </ul>
    <p class="fine privacy">
      DICOM is converted in this browser. Only voxels and geometry are sent: no names, no dates, no file names.
    </p>
  </div>`;
}

function adaptersView(model: Segmenting): TemplateResult {
  const full = model.ticked.length >= ADAPTERS_AT_ONCE;
  return html`<div class="step" role="group" aria-labelledby="adapters-title">
    <h2 id="adapters-title">Adapter</h2>
    ${
      model.adapters === null
        ? html`<p class="fine">Looking…</p>`
        : model.adapters.length === 0
          ? html`<p class="fine">None is ready yet. <a href="#/adapters">Upload one.</a></p>`
          : html`<ul class="choices">
              ${model.adapters.map(({ adapter, description }) => {
                const choice = model.choices.find(({ id }) => id === adapter);
                const toggle = (event: Event) => {
                  if (event.target instanceof HTMLInputElement) void model.toggle(adapter, event.target.checked);
                };
                return html`<li>
                  <label>
                    <input
                      type="checkbox"
                      .checked=${model.ticked.includes(adapter)}
                      ?disabled=${model.underWay || (full && !model.ticked.includes(adapter))}
                      @change=${toggle}
                    />
                    <span><span class="name">${adapter}</span><span class="fine">${description}</span></span>
                  </label>
                  ${choice === undefined ? nothing : versionView(model, choice)}
                </li>`;
              })}
            </ul>`
    }
    <p class="fine">Choose two to compare them side by side.</p>
  </div>`;
}

function versionView(model: Segmenting, choice: Choice): TemplateResult {
  const { card } = choice;
  const ready = card.versions.filter(({ status }) => status === 'ready').toSorted((a, b) => b.version - a.version);
  const select = (event: Event) => {
    if (event.target instanceof HTMLSelectElement) model.select(choice, event.target.value);
  };
  return html`<label class="version"
    ><span class="fine">Version</span>
    <select aria-label="Version of ${choice.id}" ?disabled=${model.underWay} @change=${select}>
      <option value="">newest (${card.latest})</option>
      ${Object.entries(card.aliases)
        .filter(([alias]) => alias !== 'latest')
        .map(([alias, version]) => html`<option value=${alias}>${alias} (${version})</option>`)}
      ${ready.map(({ version }) => html`<option value=${version}>${version}</option>`)}
    </select></label
  >`;
}

function channelsView(model: Segmenting): View {
  const { channels } = model;
  if (channels.length === 0 || (channels.length === 1 && model.images.length < 2)) return nothing;
  return html`<div class="step">
    <h2>${channels.length === 1 ? 'Image to segment' : 'Channels'}</h2>
    ${channels.map((channel) => {
      const assign = (event: Event) => {
        if (event.target instanceof HTMLSelectElement) void model.assign(channel, event.target.value);
      };
      return html`<label class="channel"
        ><span>${channel}</span>
        <select @change=${assign}>
          <option value="" disabled ?selected=${!model.assigned.has(channel)}>choose an image</option>
          ${model.images.map(
            ({ id, name }) =>
              html`<option value=${id} ?selected=${model.assigned.get(channel) === id}>${name}</option>`,
          )}
        </select></label
      >`;
    })}
  </div>`;
}
