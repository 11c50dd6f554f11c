import { LRUCache } from 'lru-cache';
import type { Architecture } from '../../../schemas/architecture.ts';
import type { SessionKind } from '../../adapter/compiled.ts';
import { type Vec3, voxelCount } from '../../volume/volume.ts';

/** What a window's cost depends on. */
export interface WindowKind {
  readonly architecture: Architecture;
  readonly window: Vec3;
  readonly kind: SessionKind;
}

interface Seen {
  readonly mean: number;
  readonly least: number;
}

/** Of the newest measurement in a running mean. */
const NEWEST_SHARE = 0.2;
const KINDS_MAX = 256;
/** Milliseconds a voxel and squared feature, before anything was measured: about two CPU cores. */
const FIRST_GUESS = 2e-6;

/**
 * What a window takes on this device, in milliseconds: the running mean of those that were measured; before the first
 * one, voxels times squared feature size (the convolutions at full size are most of the work), scaled by what other
 * kinds of window took here.
 */
export class CostModel {
  readonly #seen = new LRUCache<string, Seen>({ max: KINDS_MAX });
  #scale = FIRST_GUESS;

  /** Expected milliseconds, always more than 0. */
  estimate(window: WindowKind): number {
    return this.#seen.get(keyOf(window))?.mean ?? this.#scale * workOf(window);
  }

  /** The mean and the least that was measured, or null where nothing was yet. */
  measured(window: WindowKind): Seen | null {
    return this.#seen.get(keyOf(window)) ?? null;
  }

  learn(window: WindowKind, milliseconds: number): void {
    // A clock's resolution must not make a window free.
    const taken = Math.max(milliseconds, 1e-3);
    const key = keyOf(window);
    const before = this.#seen.get(key);
    const mean = before === undefined ? taken : before.mean + NEWEST_SHARE * (taken - before.mean);
    this.#seen.set(key, { mean, least: Math.min(before?.least ?? taken, taken) });
    this.#scale = mean / workOf(window);
  }
}

function workOf({ architecture, window }: WindowKind): number {
  return voxelCount(window) * architecture.feature_size ** 2;
}

function keyOf({ architecture, window, kind }: WindowKind): string {
  return JSON.stringify([architecture, window, kind]);
}
