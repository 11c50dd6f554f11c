import { answered, answeredAgain } from '../outage.ts';

/** What the stores need of a statement of D1. */
export interface Statement {
  bind(...values: unknown[]): Statement;
  first<T = Record<string, unknown>>(): Promise<T | null>;
  run(): Promise<D1Result>;
  all<T = Record<string, unknown>>(): Promise<D1Result<T>>;
}

/** What the stores need of D1. Where it does not answer, every call of it throws `storage_unavailable`. */
export interface Database {
  prepare(sql: string): Statement;
  /** A change that may be made twice without harm, and so is made again where its answer was lost. */
  repeatable(sql: string): Statement;
  /** All or nothing. */
  batch<T = unknown>(statements: readonly Statement[]): Promise<D1Result<T>[]>;
}

type Session = Pick<D1DatabaseSession, 'prepare' | 'batch'>;

/** Everything asks the primary: a key that was revoked on it may not work on a replica. */
export function databaseOf(d1: D1Database): Database {
  let opened: Session | undefined;
  const session = () => (opened ??= d1.withSession('first-primary'));
  const inner = new WeakMap<Statement, () => D1PreparedStatement>();

  const statement = (ask: typeof answered, make: () => D1PreparedStatement): Statement => {
    const made: Statement = {
      bind: (...values) => statement(ask, () => make().bind(...values)),
      first: <T>() => ask(isFault, async () => make().first<T>()),
      run: () => ask(isFault, async () => make().run()),
      all: <T>() => ask(isFault, async () => make().all<T>()),
    };
    inner.set(made, make);
    return made;
  };

  return {
    prepare: (sql) => statement(READS.test(sql) ? answeredAgain : answered, () => session().prepare(sql)),
    repeatable: (sql) => statement(answeredAgain, () => session().prepare(sql)),
    batch: <T>(statements: readonly Statement[]) =>
      answered(isFault, async () => session().batch<T>(statements.map((one) => madeBy(inner.get(one))))),
  };
}

/** Only what changes nothing may be asked again: of a change, the answer alone may have been lost. */
const READS = /^\s*SELECT\b/i;

/** D1 says in words what SQLite found wrong with a statement; a constraint that holds is no outage. */
function isFault(error: Error): boolean {
  return /SQLITE_(CONSTRAINT|ERROR|MISMATCH|RANGE|TOOBIG|AUTH)|D1_TYPE_ERROR/.test(error.message);
}

function madeBy(make: (() => D1PreparedStatement) | undefined): D1PreparedStatement {
  if (make === undefined) throw new TypeError('a statement of another database');
  return make();
}
