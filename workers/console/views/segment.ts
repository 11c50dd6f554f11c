import { html, type TemplateResult } from 'lit-html';
import type { Segmenting } from '../segmenting.ts';
import { inputView } from './input.ts';
import { resultView } from './result.ts';

export function segmentView(model: Segmenting): TemplateResult {
  return html`<div class="columns">${inputView(model)} ${resultView(model)}</div>`;
}
