import { answerName } from '../../../schemas/answer-formats.ts';
import { asProblem, type Problem } from '../api/problem.ts';
import type { Api, Job } from '../api.ts';
import { download, fileName } from '../download.ts';

/** What the page of earlier segmentations knows and does. */
export class History {
  jobs: readonly Job[] | null = null;
  problem: Problem | null = null;
  readonly #api: Api;
  readonly #changed: () => void;
  readonly #say: (text: string) => void;

  constructor(api: Api, changed: () => void, say: (text: string) => void) {
    this.#api = api;
    this.#changed = changed;
    this.#say = say;
  }

  async load(): Promise<void> {
    await this.#trying(async () => {
      this.jobs = await this.#api.jobs();
    });
  }

  async save(job: Job): Promise<void> {
    await this.#trying(async () => {
      download(await this.#api.result(job.id), fileName(job.adapter, answerName(job.format, job.output)));
    });
  }

  /** Cancels what runs, erases what has ended, with its input and result. */
  async remove(job: Job): Promise<void> {
    await this.#trying(async () => {
      await this.#api.removeJob(job.id);
      this.#say('Done');
    });
    const { problem } = this;
    await this.load();
    this.problem ??= problem;
    this.#changed();
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
