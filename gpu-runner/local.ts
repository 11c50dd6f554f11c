import { randomUUID } from 'node:crypto';
import type { Format } from '../schemas/answer-formats.ts';
import { type FormatProblem, ServiceError } from '../schemas/errors.ts';
import { type Base, loadBase } from './adapter/base.ts';
import { invalidFile } from './adapter/checked-file.ts';
import type { CompiledAdapter } from './adapter/compiled.ts';
import { type PlacedAdapter, placeAdapter, withdrawAdapter } from './adapter/placed.ts';
import { readAdapter } from './adapter/read-adapter.ts';
import { sha256Hex } from './adapter/sha256.ts';
import { type SelftestWindow, verifySelftest } from './adapter/verify-selftest.ts';
import type { Image } from './inference/channels.ts';
import type { Timings } from './inference/phase-clock.ts';
import { Segmenter } from './inference/segment.ts';
import { type Provider, SessionHost, type SessionLog } from './inference/session-host.ts';
import { VolumePool } from './inference/volume-pool.ts';
import type { Output } from './inference/volume-work.ts';
import { defaultMemoryBytes } from './settings.ts';

export interface EngineOptions {
  readonly basePath: string;
  /** Threads of the network; left out, onnxruntime decides. */
  readonly threads?: number | undefined;
  /** Tried in order; the CPU alone by default. */
  readonly providers?: readonly Provider[] | undefined;
  readonly log?: SessionLog | undefined;
}

export interface EngineRequest {
  /** One file a channel; `channel` null for the only one. */
  readonly images: readonly Image[];
  /** An adapter's file; left out, the base runs with its own head. */
  readonly adapter?: Uint8Array | undefined;
  readonly output?: Output | undefined;
  /** NIfTI if left out. */
  readonly format?: Format | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((done: number, total: number) => void) | undefined;
}

export interface EngineResult {
  /** In the request's format, on the grid of the first channel. */
  readonly body: Uint8Array;
  readonly adapterDigest: string | null;
  readonly baseDigest: string;
  readonly timings: Timings;
}

type WindowOf = Omit<SelftestWindow, 'base' | 'adapter'> & { readonly adapter: CompiledAdapter };

/** The runner without a server: the same network, rules and volumes for files of this machine. */
export interface Engine {
  readonly base: Base;
  /** Throws as `Segmenter.segment`, and `invalid_adapter` with every problem of the adapter. */
  segment(request: EngineRequest): Promise<EngineResult>;
  /** Every rule of the format, the edge's and the runner's: what is wrong with an adapter for this base. */
  check(adapter: Uint8Array): Promise<readonly FormatProblem[]>;
  /** An adapter that has passed every rule. Throws `invalid_adapter` with every problem. */
  admit(adapter: Uint8Array): Promise<CompiledAdapter>;
  /** One window through the network, `[in_channels, ...window]` to logits, whether or not a self-test passes. */
  runWindow(request: WindowOf): Promise<Float32Array>;
  close(): Promise<void>;
}

const SILENT: SessionLog = { info() {}, warn() {} };

/** Opens a base. Throws `invalid_base` where it is not valid, its self-test among the rules. */
export async function openEngine(options: EngineOptions): Promise<Engine> {
  const { basePath, threads, providers = ['cpu'], log = SILENT } = options;
  const base = await loadBase(basePath);
  const memoryBytes = defaultMemoryBytes();
  const host = new SessionHost({ providers, threads, memoryBytes, log });
  const volumes = new VolumePool(1);
  const segmenter = new Segmenter({ network: host, volumes, memoryBytes, windows: null, now: Date.now });
  const close = async () => void (await Promise.all([host.close(), volumes.close()]));

  async function selftest(adapter: PlacedAdapter | null): Promise<FormatProblem[]> {
    const manifest = adapter?.manifest ?? base.manifest;
    return await verifySelftest({ manifest, adapter }, base, (request) => host.runWindow(request));
  }

  async function withPlaced<T>(compiled: CompiledAdapter, work: (adapter: PlacedAdapter) => Promise<T>): Promise<T> {
    const adapter = await placeAdapter(host.weightsFolder, compiled);
    try {
      return await work(adapter);
    } finally {
      await withdrawAdapter(adapter);
    }
  }

  async function withAdmitted<T>(
    bytes: Uint8Array,
    work: (adapter: PlacedAdapter, compiled: CompiledAdapter) => Promise<T>,
  ): Promise<T> {
    const compiled = await readAdapter(bytes, `sha256:${await sha256Hex([bytes])}`, base);
    return await withPlaced(compiled, async (adapter) => {
      const problems = await selftest(adapter);
      if (problems.length > 0) throw invalidFile('invalid_adapter', problems);
      return await work(adapter, compiled);
    });
  }

  async function admit(bytes: Uint8Array): Promise<CompiledAdapter> {
    return await withAdmitted(bytes, async (_, compiled) => compiled);
  }

  try {
    await host.ready();
    await host.registerBase(base);
    const problems = await selftest(null);
    if (problems.length > 0) throw invalidFile('invalid_base', problems);
  } catch (error) {
    await close();
    throw error;
  }

  return {
    base,
    async segment({ images, adapter: bytes, output = 'labels', format = 'nifti', signal, onProgress }) {
      // The arrays are moved to another thread; the caller keeps its own.
      const copies = images.map(({ channel, bytes: file }) => ({ channel, bytes: new Uint8Array(file) }));
      const run = { runId: randomUUID(), tenant: 'local' };
      const segment = async (adapter: PlacedAdapter | null): Promise<EngineResult> => {
        const request = { ...run, images: copies, base, adapter, output, format, signal, onProgress };
        const { body, timings } = await segmenter.segment(request);
        return { body, adapterDigest: adapter?.digest ?? null, baseDigest: base.digest, timings };
      };
      return await (bytes === undefined ? segment(null) : withAdmitted(bytes, segment));
    },
    async check(bytes) {
      try {
        await admit(bytes);
        return [];
      } catch (error) {
        if (error instanceof ServiceError && error.code === 'invalid_adapter') return error.problems ?? [];
        throw error;
      }
    },
    admit,
    runWindow: async ({ adapter: compiled, ...window }) =>
      await withPlaced(compiled, async (adapter) => await host.runWindow({ ...window, adapter, base: base.digest })),
    close,
  };
}
