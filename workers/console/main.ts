import { html, nothing, render } from 'lit-html';
import { z } from 'zod';
import './style/main.css';
import { Managing } from './adapters/managing.ts';
import { asProblem, type Problem } from './api/problem.ts';
import { Api } from './api.ts';
import { History } from './run/history.ts';
import { Segmenting } from './segmenting.ts';
import { adaptersView } from './views/adapters.ts';
import { historyView } from './views/history.ts';
import { segmentView } from './views/segment.ts';
import { PAGES, type Page, shellView } from './views/shell.ts';
import { signInView } from './views/sign-in.ts';

// Its compiled parsers need `eval`, which the page's policy forbids.
z.config({ jitless: true });

const KEY = 'pdora-key';

interface Session {
  readonly segmenting: Segmenting;
  readonly managing: Managing;
  readonly history: History;
}

const page = document.getElementById('page');
if (page === null) throw new Error('no page');
/** Read out by screen readers whenever it changes. */
const spoken = document.createElement('p');
spoken.className = 'unseen';
spoken.setAttribute('role', 'status');
page.after(spoken);

let session: Session | null = null;
let signingIn = false;
let refused: Problem | null = null;
let drawn = false;

/** Draws soon, once for however many changes. */
function changed(): void {
  if (drawn) return;
  drawn = true;
  queueMicrotask(draw);
}

function draw(): void {
  drawn = false;
  if (page === null) return;
  const content =
    session === null
      ? signInView({ busy: signingIn, problem: refused, onKey: (key) => void signIn(key) })
      : shellView({ page: here(), content: contentOf(session), onSignOut: signOut });
  render(html`${content}${nothing}`, page);
}

function contentOf({ segmenting, managing, history }: Session) {
  const shown = here();
  if (shown === 'adapters') return adaptersView(managing);
  if (shown === 'segment') return segmentView(segmenting);
  return historyView(history, (job) => {
    location.hash = '#/segment';
    void segmenting.showJob(job);
  });
}

function here(): Page {
  const name = location.hash.replace(/^#\//, '');
  return PAGES.find((one) => one === name) ?? 'segment';
}

function say(text: string): void {
  spoken.textContent = text;
}

/** Asks the service whether the key is good before anything is shown. */
async function signIn(key: string): Promise<void> {
  signingIn = true;
  refused = null;
  changed();
  const api = new Api(key);
  const opened = {
    segmenting: new Segmenting(api, changed, say),
    managing: new Managing(api, changed, say),
    history: new History(api, changed, say),
  };
  try {
    opened.segmenting.adapters = (await api.adapters()).filter(({ latest }) => latest !== null);
    sessionStorage.setItem(KEY, key);
    session = opened;
    say('Signed in');
    enter();
  } catch (error) {
    sessionStorage.removeItem(KEY);
    refused = asProblem(error);
  }
  signingIn = false;
  changed();
}

function signOut(): void {
  sessionStorage.removeItem(KEY);
  // Nothing of a patient stays behind in the tab.
  location.replace('/console/');
}

/** Fetches what the page shows that is new. */
function enter(): void {
  if (session === null) return;
  if (here() === 'history') void session.history.load();
  if (here() === 'adapters') void session.managing.load();
  if (here() === 'segment') void session.segmenting.loadAdapters();
  changed();
}

addEventListener('hashchange', () => {
  enter();
  document.getElementById('content')?.focus({ preventScroll: true });
});

const kept = sessionStorage.getItem(KEY);
if (kept === null) draw();
else void signIn(kept);
