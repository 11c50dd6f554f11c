import type { callEdge } from './edge.ts';
import type { ModelVersion } from './registry-model.ts';

/** What is under way in a game: begun, and ended by a later move. */

export interface Verification {
  readonly version: ModelVersion;
  readonly answer: (good: boolean) => void;
  readonly settled: () => Promise<void>;
}

export interface Flight {
  readonly version: ModelVersion;
  readonly land: () => void;
  readonly call: ReturnType<typeof callEdge>;
}

export interface Job {
  readonly id: string;
  readonly tenant: string;
  readonly version: ModelVersion;
}
