import { asProblem, Problem } from '../api/problem.ts';
import type { Adapter, Api, Job, Output, Report } from '../api.ts';
import type { Series } from '../image/image.ts';
import { follow } from './follow.ts';
import { type LabelRow, labelRows } from './label-map.ts';
import { sendVolumes } from './send.ts';

/** One segmentation of the page, from its sending to its label map. */
export interface Run {
  readonly ref: string;
  readonly output: Output;
  /** The DICOM images that it segments; null where there are none, or the page cannot know. */
  readonly series: Series | null;
  state: 'sending' | Job['status'];
  progress: number;
  job: Job | null;
  problem: Problem | null;
  file: Blob | null;
  rows: LabelRow[];
  report: Report | null;
  /** Why a file of it could not be made. */
  unsaved: Problem | null;
}

export function newRun(ref: string, more: Partial<Pick<Run, 'output' | 'series'>> = {}): Run {
  const { output = 'labels', series = null } = more;
  const nothing = { job: null, problem: null, file: null, rows: [], report: null, unsaved: null };
  return { ref, output, series, state: 'sending', progress: 0, ...nothing };
}

export function isUnderWay({ state }: Run): boolean {
  return state === 'sending' || state === 'queued' || state === 'running';
}

/** Carries a run to its end and calls back at every change. Never throws: what went wrong is the run's `problem`. */
export async function carryOut(
  api: Api,
  run: Run,
  channels: ReadonlyMap<string, Blob>,
  onChange: () => void,
  signal: AbortSignal,
): Promise<void> {
  let id: string | null = null;
  try {
    id = await sendVolumes(api, run.ref, run.output, channels, signal);
    const job = await follow(
      api,
      id,
      (seen) => {
        // It is shown as done once the label map is here.
        if (seen.status !== 'succeeded') run.state = seen.status;
        run.progress = seen.progress;
        onChange();
      },
      signal,
    );
    run.job = job;
    if (job.status === 'succeeded') await fetchResult(api, run, job.id);
    else if (job.problem !== null) {
      const { code, detail, problems } = job.problem;
      run.problem = new Problem(code, detail, { problems });
    }
  } catch (error) {
    run.state = signal.aborted ? 'cancelled' : 'failed';
    if (!signal.aborted) run.problem = asProblem(error);
    else if (id !== null) await api.removeJob(id).catch(() => undefined);
  }
  onChange();
}

/** Fetches what a segmentation has made. */
export async function fetchResult(api: Api, run: Run, id: string): Promise<void> {
  run.file = await api.result(id);
  if (run.output === 'labels') {
    // The result is as good without its report.
    run.report = await api.report(id).catch(() => null);
    run.rows = await labelRows(run.file, run.report?.labels ?? []);
  }
  run.state = 'succeeded';
}

/** The channels of an adapter that a run can be made of; null where one is missing. */
export function volumesFor(
  { channels }: Pick<Adapter, 'channels'>,
  assigned: ReadonlyMap<string, Blob>,
): Map<string, Blob> | null {
  const volumes = new Map<string, Blob>();
  for (const channel of channels) {
    const volume = assigned.get(channel);
    if (volume === undefined) return null;
    volumes.set(channel, volume);
  }
  return volumes;
}
