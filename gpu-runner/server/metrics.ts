import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import type { Tier } from '../adapter/cache.ts';
import { PHASES, type Timings } from '../inference/segment.ts';

export interface Gauges {
  /** Requests that wait or run. */
  queueLength(): number;
  adapterCacheBytes(): number;
}

const PHASE_BUCKETS_SECONDS = [0.001, 0.005, 0.02, 0.1, 0.5, 1, 2, 5, 10, 30, 60, 300, 1800];

/** What Prometheus reads. */
export class Metrics {
  readonly #registry = new Registry();
  readonly #requests: Counter<'route' | 'code'>;
  readonly #windows: Counter;
  readonly #phases: Histogram<'phase'>;
  readonly #cache: Counter<'tier'>;

  constructor(gauges: Gauges) {
    const registers = [this.#registry];
    collectDefaultMetrics({ register: this.#registry });
    this.#requests = new Counter({
      name: 'pdora_runner_requests_total',
      help: 'Requests by route and outcome: ok, or the code of the problem',
      labelNames: ['route', 'code'],
      registers,
    });
    this.#windows = new Counter({
      name: 'pdora_runner_windows_total',
      help: 'Windows that ran through the network for answered requests',
      registers,
    });
    this.#phases = new Histogram({
      name: 'pdora_runner_phase_seconds',
      help: 'Time that answered segmentations spent in each phase',
      labelNames: ['phase'],
      buckets: PHASE_BUCKETS_SECONDS,
      registers,
    });
    this.#cache = new Counter({
      name: 'pdora_runner_model_total',
      help: 'Models by where they were found: hot in memory, warm on disk, cold at the edge',
      labelNames: ['tier'],
      registers,
    });
    for (const made of [
      gauge('pdora_runner_queue_length', 'Requests that wait or run', () => gauges.queueLength()),
      gauge('pdora_runner_adapter_cache_bytes', 'Compiled adapters in memory', () => gauges.adapterCacheBytes()),
    ]) {
      this.#registry.registerMetric(made);
    }
  }

  countRequest(route: string, code: string): void {
    this.#requests.inc({ route, code });
  }

  countSegmentation(tier: Tier, windows: number, timings: Timings): void {
    this.#cache.inc({ tier });
    this.#windows.inc(windows);
    for (const phase of PHASES) this.#phases.observe({ phase }, timings[phase] / 1000);
  }

  get contentType(): string {
    return this.#registry.contentType;
  }

  async text(): Promise<string> {
    return await this.#registry.metrics();
  }
}

function gauge(name: string, help: string, read: () => number): Gauge {
  return new Gauge({
    name,
    help,
    registers: [],
    collect() {
      this.set(read());
    },
  });
}
