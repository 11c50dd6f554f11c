import { html, nothing, type TemplateResult } from 'lit-html';
import { problemWords } from '../adapters/words.ts';
import type { Problem } from '../api/problem.ts';

export type View = TemplateResult | typeof nothing;

/** What went wrong, with everything that helps to say so to somebody else. */
export function problemView(problem: Problem | null): View {
  if (problem === null) return nothing;
  return html`<div class="problem" role="alert">
    <p>${problem.message}</p>
    ${formatProblems(problem.problems)}
    <p class="fine">
      <code>${problem.code}</code>${problem.requestId === null ? nothing : html` · request <code>${problem.requestId}</code>`}
    </p>
  </div>`;
}

/** Each kind of problem of an adapter file in words, with the places where it was found. */
export function formatProblems(problems: Problem['problems']): View {
  if (problems.length === 0) return nothing;
  const codes = [...new Set(problems.map(({ code }) => code))];
  return html`<ul class="reasons">
    ${codes.map((code) => {
      const { what, help } = problemWords(code);
      return html`<li>
        <strong>${what}.</strong> ${help}
        <ul>
          ${problems
            .filter((problem) => problem.code === code)
            .map(({ path, message }) => html`<li><code>${path}</code> ${message}</li>`)}
        </ul>
      </li>`;
    })}
  </ul>`;
}

/** A small round sign before a word; the word says the same. */
export function status(state: string): TemplateResult {
  return html`<span class="status" data-state=${state}>${state}</span>`;
}

const MONTH_FIRST = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'short' });

export function when(time: string): TemplateResult {
  return html`<time datetime=${time}>${MONTH_FIRST.format(new Date(time))}</time>`;
}

/** A volume for the eye: three digits that count. */
export function millilitres(ml: number): string {
  if (ml === 0) return '0';
  return ml >= 100 ? ml.toFixed(0) : ml >= 10 ? ml.toFixed(1) : ml >= 1 ? ml.toFixed(2) : ml.toPrecision(2);
}

export function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(1)} MB`;
}
