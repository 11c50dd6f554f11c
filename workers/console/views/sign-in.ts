import { html, type TemplateResult } from 'lit-html';
import type { Problem } from '../api/problem.ts';
import { problemView } from './parts.ts';

/** The page for whoever has not shown a key yet. */
export function signInView(options: {
  readonly busy: boolean;
  readonly problem: Problem | null;
  readonly onKey: (key: string) => void;
}): TemplateResult {
  const submit = (event: SubmitEvent) => {
    event.preventDefault();
    if (!(event.target instanceof HTMLFormElement)) return;
    const key = new FormData(event.target).get('key');
    if (typeof key === 'string' && key.trim() !== '') options.onKey(key.trim());
  };
  return html`<main class="sign-in" id="content">
    <form class="card" @submit=${submit}>
      <img src="/console/icon.svg" alt="" width="48" height="48" />
      <h1>PDoRA Serve</h1>
      <p>One shared SwinUNETR, and an adapter for every task.</p>
      <label for="key">API key</label>
      <input id="key" name="key" type="password" autocomplete="off" spellcheck="false" required />
      <button class="primary" ?disabled=${options.busy}>${options.busy ? 'Signing in…' : 'Sign in'}</button>
      ${problemView(options.problem)}
      <p class="fine">
        The key stays in this tab and is gone when you close it. Volumes are stripped in your browser of everything but voxels
        and geometry before they are sent.
      </p>
    </form>
    <p class="fine">For research. Not a medical device.</p>
  </main>`;
}
