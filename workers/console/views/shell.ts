import { html, type TemplateResult } from 'lit-html';

export const PAGES = ['segment', 'history', 'adapters'] as const;
export type Page = (typeof PAGES)[number];

const TITLES: Readonly<Record<Page, string>> = { segment: 'Segment', history: 'History', adapters: 'Adapters' };

/** What stands around every page: where one is, where one can go, and the way out. */
export function shellView(options: {
  readonly page: Page;
  readonly content: TemplateResult;
  readonly onSignOut: () => void;
}): TemplateResult {
  return html`<a class="skip" href="#content" @click=${skip}>Skip to the content</a>
    <header class="bar">
      <a class="brand" href="#/segment"><img src="/console/icon.svg" alt="" width="26" height="26" />PDoRA Serve</a>
      <nav aria-label="Pages">
        ${PAGES.map(
          (page) =>
            html`<a href="#/${page}" aria-current=${page === options.page ? 'page' : 'false'}>${TITLES[page]}</a>`,
        )}
      </nav>
      <button class="quiet" @click=${options.onSignOut}>Sign out</button>
    </header>
    <main id="content" tabindex="-1" class=${options.page}>
      <h1 class="unseen">${TITLES[options.page]}</h1>
      ${options.content}
    </main>
    <footer class="fine">For research. Not a medical device. · <a href="/docs">API</a></footer>`;
}

/** The hash is the page's own, so the jump is made here. */
function skip(event: Event): void {
  event.preventDefault();
  document.getElementById('content')?.focus();
}
