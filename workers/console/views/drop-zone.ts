import { html, type TemplateResult } from 'lit-html';

function over(event: DragEvent): void {
  event.preventDefault();
  if (event.currentTarget instanceof HTMLElement) event.currentTarget.dataset['over'] = '';
}

function out(event: DragEvent): void {
  if (event.currentTarget instanceof HTMLElement) delete event.currentTarget.dataset['over'];
}

/** A place to drop files on, which a click or the keyboard opens as well. */
export function dropZone(options: {
  readonly id: string;
  readonly label: string;
  readonly hint: string;
  readonly accept: string;
  readonly multiple: boolean;
  readonly busy: boolean;
  readonly onFiles: (files: readonly File[]) => void;
  readonly onDrop: (event: DragEvent) => void;
}): TemplateResult {
  const drop = (event: DragEvent) => {
    event.preventDefault();
    out(event);
    options.onDrop(event);
  };
  const chosen = (event: Event) => {
    if (!(event.target instanceof HTMLInputElement)) return;
    options.onFiles([...(event.target.files ?? [])]);
    event.target.value = '';
  };
  return html`<label class="drop" for=${options.id} aria-busy=${options.busy} @dragover=${over} @dragleave=${out} @drop=${drop}>
    <input id=${options.id} type="file" class="unseen" accept=${options.accept} ?multiple=${options.multiple} @change=${chosen} />
    <strong>${options.busy ? 'Reading…' : options.label}</strong>
    <span class="fine">${options.hint}</span>
  </label>`;
}
