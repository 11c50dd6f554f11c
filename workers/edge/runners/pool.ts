import { type FormatProblem, ServiceError } from '../../../schemas/errors.ts';
import { Health, type HealthMemory, type Readiness } from './health.ts';
import { HttpRunner, type HttpRunnerOptions } from './http-runner.ts';
import { byWeight } from './rendezvous.ts';
import type { RunnerClient, RunSubject, SegmentCall, SegmentReply } from './runner-client.ts';
import { RETRY_AFTER_SECONDS, unreachable } from './runner-problems.ts';

export interface RunnerPoolOptions extends Pick<HttpRunnerOptions, 'token' | 'fetch'> {
  readonly urls: readonly string[];
  readonly memory: HealthMemory;
  readonly now: () => number;
  readonly later: (work: Promise<unknown>) => void;
}

interface Survey {
  /** In the order in which they should be tried. */
  readonly ready: readonly HttpRunner[];
  readonly anyFull: boolean;
}

export const VERIFY_TIMEOUT_MS = 100_000;

/**
 * Several runners, any of which can serve any request. A file goes to the same one as long as that is ready, however
 * busy it is, for it has the file compiled; the dead and the full are passed over.
 */
export class RunnerPool implements RunnerClient {
  readonly #runners: ReadonlyMap<string, HttpRunner>;
  readonly #health: Health;

  constructor({ urls, token, fetch, memory, now, later }: RunnerPoolOptions) {
    this.#runners = new Map(urls.map((url) => [url, new HttpRunner({ url, token, fetch })]));
    const probe = async (url: string) => (await this.#runners.get(url)?.readiness()) ?? 'down';
    this.#health = new Health({ memory, probe, now, later });
  }

  async status(): Promise<{ ready: number; total: number }> {
    const states = await Promise.all([...this.#runners.keys()].map((url) => this.#health.ask(url)));
    return { ready: states.filter((state) => state === 'ready').length, total: states.length };
  }

  async ready(digest: string): Promise<string[]> {
    return (await this.#survey(digest)).ready.map(({ url }) => url);
  }

  async verify(subject: RunSubject): Promise<FormatProblem[]> {
    const survey = await this.#survey(digestOf(subject));
    // Of all tries together.
    const signal = AbortSignal.timeout(VERIFY_TIMEOUT_MS);
    let failure = noneReady(survey);
    for (const runner of survey.ready) {
      try {
        return await this.#watched(runner, (one) => one.verify(subject, signal));
      } catch (error) {
        if (!(error instanceof ServiceError) || lossOf(error) === null) throw error;
        failure = error;
      }
    }
    throw failure;
  }

  async segment(call: SegmentCall): Promise<SegmentReply> {
    const survey = await this.#survey(digestOf(call));
    const [runner] = survey.ready;
    if (runner === undefined) throw noneReady(survey);
    return this.#watched(runner, (one) => one.segment(call));
  }

  async segmentOn(url: string, call: SegmentCall): Promise<SegmentReply> {
    const runner = this.#runners.get(url);
    if (runner === undefined) throw unreachable('The runner is not among those of this service.');
    return this.#watched(runner, (one) => one.segment(call));
  }

  async progress(url: string, runId: string): Promise<number | null> {
    return (await this.#runners.get(url)?.progress(runId)) ?? null;
  }

  async cancel(url: string, runId: string): Promise<void> {
    await this.#runners.get(url)?.cancel(runId);
  }

  /** Before it is said that none is ready, those that were not a moment ago are asked again. */
  async #survey(digest: string): Promise<Survey> {
    const order = byWeight([...this.#runners.keys()], digest);
    const seen = this.#sort(order, await Promise.all(order.map((url) => this.#health.look(url))));
    if (seen.ready.length > 0) return seen;
    return this.#sort(order, await Promise.all(order.map((url) => this.#health.ask(url))));
  }

  #sort(order: readonly string[], states: readonly Readiness[]): Survey {
    const ready = order.filter((_, i) => states[i] === 'ready').flatMap((url) => this.#runners.get(url) ?? []);
    return { ready, anyFull: states.includes('full') };
  }

  /** Remembers a runner that a call has lost. */
  async #watched<T>(runner: HttpRunner, work: (runner: HttpRunner) => Promise<T>): Promise<T> {
    try {
      return await work(runner);
    } catch (error) {
      const loss = error instanceof ServiceError ? lossOf(error) : null;
      if (loss !== null) this.#health.found(runner.url, loss);
      throw error;
    }
  }
}

function digestOf({ adapter, base }: RunSubject): string {
  return adapter?.digest ?? base.digest;
}

/** What an error says of the runner that it came from; null where another runner would say the same. */
function lossOf({ code }: ServiceError): 'full' | 'down' | null {
  if (code === 'runner_busy') return 'full';
  return code === 'runner_unavailable' ? 'down' : null;
}

function noneReady({ anyFull }: Survey): ServiceError {
  return anyFull
    ? new ServiceError('runner_busy', 'Every runner is busy.', { retryAfterSeconds: RETRY_AFTER_SECONDS })
    : unreachable('No runner could be reached.');
}
