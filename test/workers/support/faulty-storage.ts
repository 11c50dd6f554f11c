import { randomNumbers } from '../../support/safetensors-file.ts';

/** When storages fail: at the call, or after it took effect and only its answer was lost. */
export interface Weather {
  /** Of all calls, while it is bad. */
  readonly failing: number;
  bad: boolean;
  /** Calls that failed so far, for the test to see that there were some. */
  failed: { before: number; after: number };
  strike(): 'before' | 'after' | null;
}

const DICE = 100_000;

/** The same for a seed. */
export function weather(seed: number, failing: number): Weather {
  const dice = randomNumbers(seed, DICE);
  let next = 0;
  const self: Weather = {
    failing,
    bad: false,
    failed: { before: 0, after: 0 },
    strike() {
      if (!self.bad) return null;
      const roll = ((dice[next++ % DICE] ?? 0) + 1) / 2;
      if (roll >= failing) return null;
      const when = roll < failing / 2 ? 'before' : 'after';
      self.failed[when] += 1;
      return when;
    },
  };
  return self;
}

/** As bindings say that they do not answer. */
const D1_LOST = 'D1_ERROR: Network connection lost.';
const R2_LOST = 'We encountered an internal error. Please try again. (10001)';

async function struck<T>(now: Weather, message: string, call: () => Promise<T>): Promise<T> {
  const when = now.strike();
  if (when === 'before') throw new Error(message);
  const result = await call();
  if (when === 'after') throw new Error(message);
  return result;
}

/** The environment over the same storages, whose calls fail as the weather is. */
export function faultyStorage(env: Env, now: Weather): Env {
  return { ...env, DB: faultyDatabase(env.DB, now), BLOBS: faultyBucket(env.BLOBS, now) };
}

function faultyDatabase(db: D1Database, now: Weather): D1Database {
  const inner = new WeakMap<object, D1PreparedStatement>();
  const statement = (real: D1PreparedStatement): D1PreparedStatement => {
    const made = replacing(real, {
      bind: (...values: unknown[]) => statement(real.bind(...values)),
      first: () => struck(now, D1_LOST, () => real.first()),
      run: () => struck(now, D1_LOST, () => real.run()),
      all: () => struck(now, D1_LOST, () => real.all()),
    });
    inner.set(made, real);
    return made;
  };
  const session = (real: D1DatabaseSession): D1DatabaseSession =>
    replacing(real, {
      prepare: (sql: string) => statement(real.prepare(sql)),
      batch: (statements: D1PreparedStatement[]) =>
        struck(now, D1_LOST, () => real.batch(statements.map((one) => inner.get(one) ?? one))),
    });
  return replacing(db, {
    withSession: () => {
      if (now.strike() !== null) throw new Error(D1_LOST);
      return session(db.withSession('first-primary'));
    },
  });
}

function faultyBucket(bucket: R2Bucket, now: Weather): R2Bucket {
  const multipart = (real: R2MultipartUpload): R2MultipartUpload =>
    replacing(real, {
      uploadPart: (part: number, body: ReadableStream) => struck(now, R2_LOST, () => real.uploadPart(part, body)),
      complete: (parts: R2UploadedPart[]) => struck(now, R2_LOST, () => real.complete(parts)),
      abort: () => struck(now, R2_LOST, () => real.abort()),
    });
  return replacing(bucket, {
    head: (key: string) => struck(now, R2_LOST, () => bucket.head(key)),
    get: (key: string, options: R2GetOptions) => struck(now, R2_LOST, () => bucket.get(key, options)),
    put: (key: string, body: ReadableStream, options: R2PutOptions) =>
      struck(now, R2_LOST, () => bucket.put(key, body, options)),
    delete: (keys: string | string[]) => struck(now, R2_LOST, () => bucket.delete(keys)),
    list: (options: R2ListOptions) => struck(now, R2_LOST, () => bucket.list(options)),
    createMultipartUpload: (key: string) =>
      struck(now, R2_LOST, async () => multipart(await bucket.createMultipartUpload(key))),
    resumeMultipartUpload: (key: string, id: string) => multipart(bucket.resumeMultipartUpload(key, id)),
  });
}

/** The same object but for these methods. */
function replacing<T extends object>(real: T, methods: Readonly<Record<string, unknown>>): T {
  return new Proxy(real, {
    get: (target, name) => {
      if (typeof name === 'string' && name in methods) return methods[name];
      const value: unknown = Reflect.get(target, name);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
}
