import { isDecoderParameter, isHeadParameter } from '../../schemas/architecture.ts';
import type { AdapterManifest } from '../../schemas/manifest.ts';

/** A tensor as the network computes with it: float32 in C order. */
export interface Tensor {
  readonly shape: readonly number[];
  readonly data: Float32Array;
}

/**
 * One changed linear weight `[out, in]`, whatever the method: `W' = diag(cOut) W0 diag(cIn) + up down`.
 * `up` is `[out, rank]`, `down` `[rank, in]`, `cOut` `[out]`, `cIn` `[in]`; `rank` is at most twice the target's own.
 */
export interface Slot {
  readonly parameter: string;
  readonly rank: number;
  readonly up: Float32Array;
  readonly down: Float32Array;
  readonly cOut: Float32Array;
  readonly cIn: Float32Array;
}

/** What a session takes as inputs beside the slots: the head, head and decoder, or every parameter. */
export type SessionKind = 'head' | 'decoder' | 'all';

/** An adapter that keeps every rule of the format but the self-test, ready to be fed to a session. */
export interface CompiledAdapter {
  /** SHA-256 of its file, `sha256:<hex>`. */
  readonly digest: string;
  readonly manifest: AdapterManifest;
  readonly kind: SessionKind;
  readonly slots: ReadonlyMap<string, Slot>;
  /** Parameters that come from the adapter alone; a `delta` is folded in as `W0 + delta`. */
  readonly replaced: ReadonlyMap<string, Tensor>;
  /** Legal but unusual things an author may want to know. */
  readonly warnings: readonly string[];
  /** Memory held by the arrays above. */
  readonly bytes: number;
}

/** The smallest kind of session that takes all these parameters as inputs. */
export function sessionKind(replaced: Iterable<string>): SessionKind {
  let kind: SessionKind = 'head';
  for (const parameter of replaced) {
    if (isHeadParameter(parameter)) continue;
    if (!isDecoderParameter(parameter)) return 'all';
    kind = 'decoder';
  }
  return kind;
}
