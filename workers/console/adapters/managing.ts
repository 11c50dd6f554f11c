import { DIRECT_BODY_MAX_BYTES } from '../../../schemas/limits.ts';
import { asProblem, type Problem } from '../api/problem.ts';
import { type Adapter, type AdapterSummary, type Api, pause, type Version } from '../api.ts';
import { upload } from '../run/send.ts';
import { proposedName } from './file-name.ts';

const POLL_MS = 700;

/** An adapter file on its way: from the drop to the verdict. */
export interface Push {
  readonly file: File;
  name: string;
  state: 'named' | 'sending' | 'verifying' | 'ready' | 'rejected' | 'refused';
  version: Version | null;
  problem: Problem | null;
}

/** Where an alias was before it was moved here. */
export interface Move {
  readonly alias: string;
  readonly from: number;
  readonly to: number;
}

/** What the page of adapters knows and does. */
export class Managing {
  adapters: readonly AdapterSummary[] | null = null;
  shown: Adapter | null = null;
  push: Push | null = null;
  moved: Move | null = null;
  problem: Problem | null = null;
  readonly #api: Api;
  readonly #changed: () => void;
  readonly #say: (text: string) => void;
  #asked = '';

  constructor(api: Api, changed: () => void, say: (text: string) => void) {
    this.#api = api;
    this.#changed = changed;
    this.#say = say;
  }

  async load(): Promise<void> {
    await this.#trying(async () => {
      this.adapters = await this.#api.adapters();
    });
  }

  async show(id: string): Promise<void> {
    this.moved = null;
    this.#asked = id;
    await this.#trying(async () => {
      const card = await this.#api.adapter(id);
      // Whoever has clicked on another one meanwhile waits for that.
      if (this.#asked === id) this.shown = card;
    });
  }

  async take(file: File | undefined): Promise<void> {
    if (file === undefined) return;
    this.push = { file, name: await proposedName(file), state: 'named', version: null, problem: null };
    this.#changed();
  }

  /** Uploads what was dropped and waits for the verdict of a runner. */
  async upload(): Promise<void> {
    const { push } = this;
    if (push === null) return;
    push.state = 'sending';
    push.problem = null;
    this.#say('Uploading');
    this.#changed();
    try {
      const created =
        push.file.size > DIRECT_BODY_MAX_BYTES
          ? await this.#api.pushUploadedVersion(push.name, await upload(this.#api, push.file))
          : await this.#api.pushVersion(push.name, push.file);
      push.state = 'verifying';
      this.#say('A runner is verifying the adapter');
      this.#changed();
      push.version = await this.#verdict(created.adapter, created.version);
      push.state = push.version.status;
      this.#say(push.state === 'ready' ? 'The adapter is ready' : 'The adapter was rejected');
      this.shown = await this.#api.adapter(created.adapter);
    } catch (error) {
      push.state = 'refused';
      push.problem = asProblem(error);
      this.#say('The adapter was refused');
    }
    this.#changed();
    await this.load();
  }

  dismiss(): void {
    this.push = null;
    this.#changed();
  }

  /** Moves an alias of the adapter shown, if it is still where the page shows it. */
  async move(alias: string, version: number): Promise<void> {
    const { shown } = this;
    if (shown === null) return;
    await this.#trying(async () => {
      const from = shown.aliases[alias] ?? null;
      await this.#api.setAlias(shown.adapter, alias, version, from);
      this.moved = from === null ? null : { alias, from, to: version };
      this.#say(`${alias} now means version ${version}`);
    });
    const { problem } = this;
    this.shown = await this.#api.adapter(shown.adapter).catch(() => shown);
    this.problem = problem;
    this.#changed();
  }

  async #verdict(adapter: string, number: number): Promise<Version> {
    for (;;) {
      const { versions } = await this.#api.adapter(`${adapter}@${number}`);
      const version = versions.find((one) => one.version === number);
      if (version !== undefined && version.status !== 'verifying') return version;
      await pause(POLL_MS);
    }
  }

  async #trying(act: () => Promise<void>): Promise<void> {
    this.problem = null;
    try {
      await act();
    } catch (error) {
      this.problem = asProblem(error);
      this.#say(this.problem.message);
    }
    this.#changed();
  }
}

/** The version that an alias goes back to: the newest ready one before that where it is. */
export function versionBefore({ versions }: Pick<Adapter, 'versions'>, version: number): number | null {
  const earlier = versions.filter((one) => one.status === 'ready' && one.version < version);
  return earlier.reduce<number | null>((best, one) => Math.max(best ?? 0, one.version), null);
}
