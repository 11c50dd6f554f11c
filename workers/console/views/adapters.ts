import { html, nothing, type TemplateResult } from 'lit-html';
import { type Managing, type Push, versionBefore } from '../adapters/managing.ts';
import type { Adapter, AdapterSummary } from '../api.ts';
import { dropZone } from './drop-zone.ts';
import { formatProblems, megabytes, problemView, status, type View, when } from './parts.ts';

/** Every adapter that the key may see, one of them in full, and the way to bring another. */
export function adaptersView(model: Managing): TemplateResult {
  return html`<div class="columns">
    <section class="input" aria-label="Adapters">
      <div class="step">
        <h2>Upload</h2>
        ${dropZone({
          id: 'adapter-file',
          label: 'Drop an adapter',
          hint: 'a .safetensors file, or click to choose',
          accept: '.safetensors',
          multiple: false,
          busy: false,
          onFiles: ([file]) => void model.take(file),
          onDrop: (event) => void model.take(event.dataTransfer?.files[0]),
        })}
        ${model.push === null ? nothing : pushView(model, model.push)}
      </div>
      <div class="step">
        <h2>Adapters</h2>
        ${listView(model, model.adapters)}
      </div>
    </section>
    <section class="result" aria-label="Adapter" aria-live="polite">
      ${problemView(model.problem)}
      ${model.shown === null ? html`<p class="empty">Choose an adapter to see its versions.</p>` : cardView(model, model.shown)}
    </section>
  </div>`;
}

function listView(model: Managing, adapters: readonly AdapterSummary[] | null): TemplateResult {
  if (adapters === null) return html`<p class="fine">Looking…</p>`;
  if (adapters.length === 0) return html`<p class="fine">None yet.</p>`;
  return html`<ul class="choices">
    ${adapters.map(
      ({ adapter, latest }) =>
        html`<li>
          <button
            class="row"
            aria-current=${model.shown?.adapter === adapter ? 'true' : 'false'}
            @click=${() => void model.show(adapter)}
          >
            <span class="name">${adapter}</span>
            <span class="fine">${latest === null ? 'none ready' : `version ${latest}`}</span>
          </button>
        </li>`,
    )}
  </ul>`;
}

const STEPS: Readonly<Record<Push['state'], string>> = {
  named: 'Not uploaded yet',
  sending: 'Uploading…',
  verifying: 'A runner verifies it: format, weights, self-test…',
  ready: 'It is ready to segment.',
  rejected: 'It was rejected, and serves nobody.',
  refused: 'It was refused, and nothing was stored.',
};

function pushView(model: Managing, push: Push): TemplateResult {
  const submit = (event: SubmitEvent) => {
    event.preventDefault();
    void model.upload();
  };
  const name = (event: Event) => {
    if (event.target instanceof HTMLInputElement) push.name = event.target.value;
  };
  const busy = push.state === 'sending' || push.state === 'verifying';
  return html`<form class="push" data-state=${push.state} @submit=${submit}>
    <p><span class="name">${push.file.name}</span> <span class="fine">${megabytes(push.file.size)}</span></p>
    ${
      push.state === 'named'
        ? html`<label for="push-name">Name</label>
            <input
              id="push-name"
              required
              pattern="[a-z0-9][a-z0-9._\\-]{0,63}"
              autocomplete="off"
              spellcheck="false"
              .value=${push.name}
              @input=${name}
            />
            <p class="fine">A name that exists gets a new version.</p>
            <div class="saving">
              <button class="primary">Upload</button>
              <button type="button" class="quiet" @click=${() => model.dismiss()}>Not now</button>
            </div>`
        : html`<p class="verdict">${STEPS[push.state]}</p>
            ${busy ? html`<progress aria-label="Upload and verification"></progress>` : nothing}
            ${push.problem === null ? nothing : problemView(push.problem)} ${formatProblems(push.version?.problems ?? [])}
            ${busy ? nothing : html`<button type="button" @click=${() => model.dismiss()}>Close</button>`}`
    }
  </form>`;
}

function cardView(model: Managing, card: Adapter): TemplateResult {
  return html`<article class="card-of">
    <h2>${card.adapter}</h2>
    <p>${card.description}</p>
    <dl>
      ${fact('Intended use', card.intended_use)} ${fact('Licence', card.licence)}
      ${fact('Channels', card.channels.join(', '))}
      ${fact(
        'Labels',
        (card.regions ?? card.labels)
          .filter(({ value }) => value !== 0)
          .map(({ name }) => name)
          .join(', '),
      )}
    </dl>
    ${aliasesView(model, card)}
    <h3>Versions</h3>
    <ul class="versions">
      ${card.versions
        .toSorted((a, b) => b.version - a.version)
        .map(
          (version) =>
            html`<li>
              <div class="line">
                <strong>${version.version}</strong> ${status(version.status)}
                <span class="fine">${when(version.created_at)} · ${megabytes(version.size)}</span>
              </div>
              <code class="digest">${version.digest}</code>
              ${formatProblems(version.problems)}
            </li>`,
        )}
    </ul>
  </article>`;
}

function fact(name: string, text: string): View {
  return text === '' ? nothing : html`<dt>${name}</dt><dd>${text}</dd>`;
}

function aliasesView(model: Managing, card: Adapter): TemplateResult {
  const aliases = Object.entries(card.aliases).filter(([alias]) => alias !== 'latest');
  const ready = card.versions
    .filter(({ status: state }) => state === 'ready')
    .toSorted((a, b) => b.version - a.version);
  const { moved } = model;
  return html`<h3>Aliases</h3>
    ${aliases.length === 0 ? html`<p class="fine">None. An alias is a name that you point at a version, such as prod.</p>` : nothing}
    <ul class="aliases">
      ${aliases.map(([alias, version]) => {
        const before = versionBefore(card, version);
        const point = (event: Event) => {
          if (event.target instanceof HTMLSelectElement) void model.move(alias, Number(event.target.value));
        };
        return html`<li>
          <strong>${alias}</strong>
          <label
            ><span class="fine">version</span>
            <select aria-label="Version of ${alias}" @change=${point}>
              ${ready.map(
                (one) =>
                  html`<option value=${one.version} .selected=${one.version === version}>${one.version}</option>`,
              )}
            </select></label
          >
          ${
            before === null
              ? nothing
              : html`<button @click=${() => void model.move(alias, before)}>Back to version ${before}</button>`
          }
        </li>`;
      })}
    </ul>
    ${
      moved === null
        ? nothing
        : html`<p class="moved">
            ${moved.alias} moved from version ${moved.from} to ${moved.to}.
            <button @click=${() => void model.move(moved.alias, moved.from)}>Undo</button>
          </p>`
    }
    ${newAliasView(model, card)}`;
}

function newAliasView(model: Managing, card: Adapter): View {
  const { latest } = card;
  if (latest === null) return nothing;
  const submit = (event: SubmitEvent) => {
    event.preventDefault();
    if (!(event.target instanceof HTMLFormElement)) return;
    const alias = new FormData(event.target).get('alias');
    event.target.reset();
    if (typeof alias === 'string') void model.move(alias.trim(), latest);
  };
  return html`<form class="inline" @submit=${submit}>
    <label for="new-alias">New alias at version ${latest}</label>
    <input id="new-alias" name="alias" required pattern="[a-z0-9._\\-]*[a-z][a-z0-9._\\-]*" autocomplete="off" spellcheck="false" />
    <button>Add</button>
  </form>`;
}
