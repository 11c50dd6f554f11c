import type { PlacedAdapter } from '../adapter/placed.ts';
import type { Vec3 } from '../volume/volume.ts';
import type { Blend } from './blend.ts';
import type { Decided, Decision } from './decision.ts';
import type { WindowKind } from './scheduler/cost-model.ts';

/** Where sessions run; a host tries its providers in order. */
export type Provider = 'cuda' | 'cpu';

/** One window through the network, as self-tests need it. */
export interface WindowRequest {
  /** Digest of a registered base. */
  readonly base: string;
  readonly window: Vec3;
  /** Null for the base with its own head. */
  readonly adapter: PlacedAdapter | null;
  /** `[in_channels, ...window]` in C order. */
  readonly input: Float32Array;
}

/** A whole prepared volume through the sliding window. */
export interface RunRequest {
  readonly runId: string;
  /** Digest of a registered base. */
  readonly base: string;
  readonly window: Vec3;
  readonly overlap: number;
  readonly blend: Blend;
  /** Null for the base with its own head. */
  readonly adapter: PlacedAdapter | null;
  /** `[channels, ...shape]` in C order. */
  readonly volume: Float32Array;
  readonly channels: number;
  /** Channels of the head. */
  readonly classes: number;
  readonly shape: Vec3;
  readonly decision: Decision;
}

/** Milliseconds. */
export interface RunTimings {
  /** Waiting, and the windows of other runs. */
  readonly queue: number;
  /** Until the first window: feeds made and checked, and a session where none of this kind was ready. */
  readonly fuse: number;
  /** Its own windows, network and blending; the graph fuses the weights in each window, which costs next to nothing. */
  readonly infer: number;
}

export interface RunResult {
  readonly decided: Decided;
  readonly classes: number;
  readonly windows: number;
  readonly timings: RunTimings;
}

export interface RunOptions {
  /** Whose run it is; those without one are one tenant. */
  readonly tenant?: string | undefined;
  /** Epoch milliseconds: a run that cannot be done by then is given up. */
  readonly deadline?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Called after each window. */
  readonly onProgress?: ((done: number, total: number) => void) | undefined;
}

/** What takes volumes and windows through the network: the session host, or a double of it in tests. */
export interface NetworkRunner {
  run(request: RunRequest, options?: RunOptions): Promise<RunResult>;
  runWindow(request: WindowRequest): Promise<Float32Array>;
  /** Milliseconds that such a window took on average; null before one was seen. */
  windowMilliseconds(window: WindowKind): number | null;
}
