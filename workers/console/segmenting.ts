import { asProblem, type Problem } from './api/problem.ts';
import type { Adapter, AdapterSummary, Api, Job } from './api.ts';
import { download, fileName } from './download.ts';
import type { Image } from './image/image.ts';
import { takeImages } from './image/take.ts';
import { carryOut, fetchResult, isUnderWay, newRun, type Run, volumesFor } from './run/run.ts';
import { fileOf, type Saved } from './run/saved.ts';
import type { Place, Plane } from './viewer/pane.ts';
import { Stage } from './viewer/stage.ts';

export const ADAPTERS_AT_ONCE = 2;

/** An adapter that is to run, as one of its versions or aliases. */
export interface Choice {
  readonly id: string;
  readonly card: Adapter;
  /** A version or an alias, empty for the newest that is ready. */
  selector: string;
}

/** What the page for segmenting knows and does. Everything calls `changed` when it is to be drawn anew. */
export class Segmenting {
  adapters: readonly AdapterSummary[] | null = null;
  images: readonly Image[] = [];
  /** The adapters whose boxes are ticked, in that order. */
  ticked: readonly string[] = [];
  /** Those of them whose cards are here. */
  choices: readonly Choice[] = [];
  /** An image's id for each channel. */
  assigned: ReadonlyMap<string, string> = new Map();
  runs: readonly Run[] = [];
  extra: Run | null = null;
  reading = false;
  problem: Problem | null = null;
  plane: Plane = 'all';
  opacity = 0.6;
  place: (Place & { readonly pane: number }) | null = null;
  readonly stage: Stage;
  readonly #api: Api;
  readonly #changed: () => void;
  readonly #say: (text: string) => void;
  readonly #cards = new Map<string, Adapter>();
  #running = new AbortController();

  constructor(api: Api, changed: () => void, say: (text: string) => void) {
    this.#api = api;
    this.#changed = changed;
    this.#say = say;
    this.stage = new Stage((place, pane) => {
      this.place = { ...place, pane };
      changed();
    });
  }

  async loadAdapters(): Promise<void> {
    await this.#trying(async () => {
      this.adapters = (await this.#api.adapters()).filter(({ latest }) => latest !== null);
    });
  }

  async take(files: readonly File[]): Promise<void> {
    if (files.length === 0) return;
    this.reading = true;
    this.#say('Reading the files');
    await this.#trying(async () => {
      const images = await takeImages(files);
      this.images = [...images, ...this.images];
      this.runs = [];
      this.#assign(images);
      this.#say(`${images.length === 1 ? 'One image is' : `${images.length} images are`} ready`);
      this.reading = false;
      this.#changed();
      await this.#draw();
    });
    this.reading = false;
    this.#changed();
  }

  async remove(image: Image): Promise<void> {
    this.images = this.images.filter(({ id }) => id !== image.id);
    this.assigned = new Map([...this.assigned].filter(([, id]) => id !== image.id));
    this.runs = [];
    this.#changed();
    await this.#draw();
  }

  /** Answers may come in another order than the boxes were ticked in, or for one that is no longer ticked. */
  async toggle(id: string, on: boolean): Promise<void> {
    this.ticked = on ? [...this.ticked.filter((one) => one !== id), id] : this.ticked.filter((one) => one !== id);
    this.#changed();
    await this.#trying(async () => {
      if (on) await this.#read(id);
      this.choices = this.ticked.flatMap((one) => {
        const card = this.#cards.get(one);
        const before = this.choices.find((choice) => choice.id === one);
        return card === undefined ? [] : [{ id: one, card, selector: before?.selector ?? '' }];
      });
      this.#assign(this.images);
    });
  }

  select(choice: Choice, selector: string): void {
    choice.selector = selector;
    this.#changed();
  }

  /** The channels of all chosen adapters. */
  get channels(): readonly string[] {
    return [...new Set(this.choices.flatMap(({ card }) => card.channels))];
  }

  async assign(channel: string, image: string): Promise<void> {
    this.assigned = new Map([...this.assigned, [channel, image]]);
    this.#changed();
    await this.#draw();
  }

  get underWay(): boolean {
    return [...this.runs, ...(this.extra === null ? [] : [this.extra])].some(isUnderWay);
  }

  /** What is still missing before it can run, in words; null where nothing is. */
  get missing(): string | null {
    if (this.images.length === 0) return 'Add an image first.';
    if (this.ticked.length === 0) return 'Choose an adapter.';
    if (this.choices.length < this.ticked.length) return 'Looking up the adapter…';
    const without = this.channels.filter((channel) => !this.assigned.has(channel));
    return without.length === 0 ? null : `Say which image is ${without.join(', ')}.`;
  }

  async run(): Promise<void> {
    this.#running = new AbortController();
    const volumes = this.#volumes();
    const started = this.choices.map((choice) => {
      const series = this.#imageOf(choice.card.channels[0] ?? '')?.series ?? null;
      return { run: newRun(refOf(choice), { series }), card: choice.card };
    });
    this.runs = started.map(({ run }) => run);
    this.extra = null;
    this.#say('Segmenting');
    this.#changed();
    await this.#draw();
    await Promise.all(
      started.map(async ({ run, card }) => {
        const channels = volumesFor(card, volumes);
        if (channels !== null) await carryOut(this.#api, run, channels, this.#changed, this.#running.signal);
        await this.#draw();
        this.#say(run.state === 'succeeded' ? `${run.ref} is done` : `${run.ref} has ${run.state}`);
      }),
    );
  }

  cancel(): void {
    this.#running.abort();
  }

  /** Makes a file of a result and saves it. Where that cannot be, the run says why. */
  async save(run: Run, what: Saved): Promise<void> {
    run.unsaved = null;
    this.#changed();
    try {
      const { file, name } = await fileOf(run, what);
      download(file, fileName(run.ref, name));
      this.#say('The file is saved');
    } catch (error) {
      run.unsaved = asProblem(error);
      this.#say(run.unsaved.message);
    }
    this.#changed();
  }

  /** Segments once more, for the probabilities, and saves them. */
  async saveProbabilities(run: Run): Promise<void> {
    const choice = this.choices.find((one) => refOf(one) === run.ref);
    const channels = choice === undefined ? null : volumesFor(choice.card, this.#volumes());
    if (channels === null) return;
    this.#running = new AbortController();
    const extra = newRun(run.ref, { output: 'probabilities' });
    this.extra = extra;
    this.#changed();
    await carryOut(this.#api, extra, channels, this.#changed, this.#running.signal);
    if (extra.file !== null) download(extra.file, fileName(run.ref, 'probabilities.nii.gz'));
    this.#say(extra.state === 'succeeded' ? 'The probabilities are saved' : 'The probabilities could not be made');
  }

  /** Shows what an earlier segmentation has made, over the image that is here. */
  async showJob(job: Job): Promise<void> {
    await this.#trying(async () => {
      const run = newRun(job.version === null ? job.adapter : `${job.adapter}@${job.version}`);
      await fetchResult(this.#api, run, job.id);
      run.job = job;
      this.runs = [run];
      await this.#draw();
    });
  }

  setPlane(plane: Plane): void {
    this.plane = plane;
    this.stage.plane = plane;
    this.#changed();
  }

  setOpacity(opacity: number): void {
    this.opacity = opacity;
    this.stage.opacity = opacity;
    this.#changed();
  }

  recolour(run: Run): void {
    const shown = this.#done();
    this.stage.recolour(shown.indexOf(run), run.rows);
    this.#changed();
  }

  /** An adapter that cannot be read is not chosen. */
  async #read(id: string): Promise<void> {
    try {
      this.#cards.set(id, await this.#api.adapter(id));
    } catch (error) {
      this.#cards.delete(id);
      this.ticked = this.ticked.filter((one) => one !== id);
      this.choices = this.choices.filter((choice) => choice.id !== id);
      throw error;
    }
  }

  #done(): Run[] {
    return this.runs.filter(({ file }) => file !== null);
  }

  /** Each channel gets an image that is named like it, or the only one, or the next that has no channel yet. */
  #assign(fresh: readonly Image[]): void {
    const assigned = new Map(this.assigned);
    const free = [...fresh];
    for (const channel of this.channels) {
      const like = free.find(({ name }) => name.toLowerCase().includes(channel.toLowerCase()));
      const image = like ?? (assigned.has(channel) && this.channels.length > 1 ? undefined : free[0]);
      if (image === undefined) continue;
      assigned.set(channel, image.id);
      if (this.channels.length > 1) free.splice(free.indexOf(image), 1);
    }
    this.assigned = assigned;
  }

  #imageOf(channel: string): Image | undefined {
    const id = this.assigned.get(channel);
    return this.images.find((one) => one.id === id);
  }

  #volumes(): Map<string, Blob> {
    const volumes = new Map<string, Blob>();
    for (const channel of this.assigned.keys()) {
      const image = this.#imageOf(channel);
      if (image !== undefined) volumes.set(channel, image.file);
    }
    return volumes;
  }

  async #draw(): Promise<void> {
    const [channel = ''] = this.channels;
    const shown = this.#imageOf(channel) ?? this.images[0];
    const scenes = this.#done().map(({ ref, file, rows }) => ({ caption: ref, labelMap: file, rows }));
    if (shown !== undefined || scenes.length > 0) await this.stage.show(shown?.file ?? null, scenes);
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

/** As the API takes it. */
export function refOf({ id, selector }: Pick<Choice, 'id' | 'selector'>): string {
  return selector === '' ? id : `${id}@${selector}`;
}
