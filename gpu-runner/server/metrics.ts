import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import type { Tier } from '../adapter/cache.ts';
import { PHASES, type Timings } from '../inference/phase-clock.ts';
import { BoundedLabels } from './bounded-labels.ts';

/** What is read when somebody asks. Null is not told. */
export interface Gauges {
  /** Requests that wait or run. */
  queueLength(): number;
  /** Milliseconds that the one has waited that waits longest for its first window. */
  queueAgeMs(): number;
  /** Compiled adapters, and files as they came. */
  cacheBytes(): { readonly compiled: number; readonly disk: number };
  ready(): boolean;
  sessions(): number;
  sessionRestarts(): number;
  residentBytes(): { readonly server: number | null; readonly session: number | null };
  /** Memory that was given to bodies that are not decoded yet, and to volumes in work. */
  admittedBytes(): { readonly bodies: number; readonly volumes: number };
}

/** A segmentation that was answered. */
export interface Answered {
  /** `sha256:<hex>`, null for the base alone. */
  readonly adapter: string | null;
  readonly tier: Tier;
  readonly timings: Timings;
}

const PHASE_BUCKETS_SECONDS = [0.001, 0.005, 0.02, 0.1, 0.5, 1, 2, 5, 10, 30, 60, 300, 1800];
/** Adapters with a series of their own. */
const ADAPTERS_MAX = 50;
/** Enough of a digest to find the adapter by, and it says nothing of its tenant. */
const SHORT_DIGEST = 12;

/** What Prometheus reads; docs/operation.md says what each is good for. */
export class Metrics {
  readonly #registry = new Registry();
  readonly #requests: Counter<'route' | 'code'>;
  readonly #windows: Counter;
  readonly #deviceSeconds: Counter;
  readonly #phases: Histogram<'phase'>;
  readonly #models: Counter<'tier'>;
  readonly #adapters: Counter<'adapter'>;
  readonly #labels: BoundedLabels;

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
      help: 'Windows that ran through the network',
      registers,
    });
    this.#deviceSeconds = new Counter({
      name: 'pdora_runner_device_seconds_total',
      help: 'Time that the device spent on windows',
      registers,
    });
    this.#phases = new Histogram({
      name: 'pdora_runner_phase_duration_seconds',
      help: 'Time that answered segmentations spent in each phase',
      labelNames: ['phase'],
      buckets: PHASE_BUCKETS_SECONDS,
      registers,
    });
    this.#models = new Counter({
      name: 'pdora_runner_models_total',
      help: 'Models by where they were found: hot compiled, warm on disk, cold at the edge',
      labelNames: ['tier'],
      registers,
    });
    this.#adapters = new Counter({
      name: 'pdora_runner_adapter_segmentations_total',
      help: 'Answered segmentations by adapter, the most used by the first digits of their digest, then other; base without one',
      labelNames: ['adapter'],
      registers,
    });
    this.#labels = new BoundedLabels(ADAPTERS_MAX, (adapter) => this.#adapters.remove({ adapter }));
    this.#gauges(gauges);
  }

  #gauges(read: Gauges): void {
    const registry = this.#registry;
    gauge(registry, 'pdora_runner_ready', 'Whether /readyz says so: 1 or 0', () => Number(read.ready()));
    gauge(registry, 'pdora_runner_queue_length', 'Requests that wait or run', () => read.queueLength());
    gauge(
      registry,
      'pdora_runner_queue_age_seconds',
      'How long the request has waited that waits longest for its first window',
      () => read.queueAgeMs() / 1000,
    );
    gauge(registry, 'pdora_runner_sessions', 'Sessions kept ready in the session process', () => read.sessions());
    gaugeBy(
      registry,
      'pdora_runner_cache_bytes',
      'Adapters compiled and ready, files on disk as they came',
      'tier',
      () => read.cacheBytes(),
    );
    gaugeBy(
      registry,
      'pdora_runner_resident_memory_bytes',
      'Memory of the server and of its session process',
      'process',
      () => read.residentBytes(),
    );
    gaugeBy(
      registry,
      'pdora_runner_admitted_bytes',
      'Memory given to bodies that are not decoded yet, and to volumes in work',
      'of',
      () => read.admittedBytes(),
    );
    const restarts = new Counter({
      name: 'pdora_runner_session_restarts_total',
      help: 'Session processes started in place of one that ended',
      registers: [registry],
      collect() {
        this.reset();
        this.inc(read.sessionRestarts());
      },
    });
    restarts.inc(0);
  }

  countRequest(route: string, code: string): void {
    this.#requests.inc({ route, code });
  }

  countWindow(milliseconds: number): void {
    this.#windows.inc();
    this.#deviceSeconds.inc(milliseconds / 1000);
  }

  countSegmentation({ adapter, tier, timings }: Answered): void {
    this.#models.inc({ tier });
    this.#adapters.inc({ adapter: adapter === null ? 'base' : this.#labels.use(shortDigest(adapter)) });
    for (const phase of PHASES) this.#phases.observe({ phase }, timings[phase] / 1000);
  }

  get contentType(): string {
    return this.#registry.contentType;
  }

  async text(): Promise<string> {
    return await this.#registry.metrics();
  }
}

function shortDigest(digest: string): string {
  return digest.slice('sha256:'.length, 'sha256:'.length + SHORT_DIGEST);
}

function gauge(registry: Registry, name: string, help: string, read: () => number): void {
  const made = new Gauge({
    name,
    help,
    registers: [],
    collect() {
      this.set(read());
    },
  });
  registry.registerMetric(made);
}

function gaugeBy(
  registry: Registry,
  name: string,
  help: string,
  label: string,
  read: () => Readonly<Record<string, number | null>>,
): void {
  const made = new Gauge({
    name,
    help,
    labelNames: [label],
    registers: [],
    collect() {
      this.reset();
      for (const [key, value] of Object.entries(read())) {
        if (value !== null) this.labels(key).set(value);
      }
    },
  });
  registry.registerMetric(made);
}
