/** A run as the scheduler sees it: windows to go, and what one of them is expected to cost. */
export interface ScheduledRun {
  readonly id: number;
  readonly tenant: string;
  readonly windows: number;
  /** Epoch milliseconds; infinite where there is none. */
  readonly deadline: number;
  /** Milliseconds that one of its windows is expected to take, as known now. More than 0. */
  readonly cost: () => number;
  /** Milliseconds that one of its windows took at least, as known now; 0 where none was seen yet. */
  readonly leastCost: () => number;
}

interface Queued {
  readonly run: ScheduledRun;
  served: number;
}

/** A tenant with windows to go, in its place in the round. */
interface Turn {
  readonly tenant: string;
  readonly runs: Map<number, Queued>;
  /** Milliseconds that it may still take in this round; below 0, what it took too much. */
  deficit: number;
}

/**
 * Whose window is next on a device. Deficit round robin over tenants (Shreedhar and Varghese, 1995): in each round
 * a tenant is given the cost of the dearest window that waits, and takes windows while its deficit covers them. Within
 * a tenant the run with the fewest windows served goes first; among those the earliest deadline, then the first to
 * come. A tenant without windows leaves the round, and comes back at its end with nothing saved.
 *
 * It holds no clock and does no work: the caller says the time, takes the window and tells what it took.
 */
export class WindowScheduler {
  /** The first one's turn it is. */
  readonly #round: Turn[] = [];
  readonly #tenantOf = new Map<number, string>();
  /** Whether the first one was given its share of this round. */
  #given = false;

  /** Runs that have windows to go. */
  get size(): number {
    return this.#tenantOf.size;
  }

  add(run: ScheduledRun): void {
    if (this.#tenantOf.has(run.id)) throw new Error(`the run ${run.id} is scheduled already`);
    if (run.windows < 1) throw new RangeError('a run without windows');
    let turn = this.#round.find(({ tenant }) => tenant === run.tenant);
    if (turn === undefined) {
      turn = { tenant: run.tenant, runs: new Map(), deficit: 0 };
      this.#round.push(turn);
    }
    turn.runs.set(run.id, { run, served: 0 });
    this.#tenantOf.set(run.id, run.tenant);
  }

  /** Takes a run out, wherever it is; an unknown one changes nothing. */
  remove(id: number): void {
    const turn = this.#turnOf(id);
    if (turn === undefined) return;
    this.#tenantOf.delete(id);
    turn.runs.delete(id);
    if (turn.runs.size > 0) return;
    const at = this.#round.indexOf(turn);
    this.#round.splice(at, 1);
    if (at === 0) this.#given = false;
  }

  /**
   * Takes out the runs that cannot be done in time at `now` (epoch milliseconds), even if each window left took as
   * little as the least that was seen, and answers their ids.
   */
  expire(now: number): number[] {
    const late = this.#round
      .flatMap(({ runs }) => [...runs.values()])
      .filter(({ run, served }) => now + (run.windows - served) * run.leastCost() >= run.deadline)
      .map(({ run }) => run.id);
    for (const id of late) this.remove(id);
    return late;
  }

  /** The run whose window goes next, which is charged with its expected cost; null where there is none. */
  next(): number | null {
    if (this.#round.length === 0) return null;
    const quantum = Math.max(...this.#round.map(({ runs }) => firstOf(runs).run.cost()));
    for (;;) {
      const turn = this.#round[0];
      if (turn === undefined) return null;
      if (!this.#given) turn.deficit += quantum;
      this.#given = true;
      const first = firstOf(turn.runs);
      const cost = first.run.cost();
      if (cost <= turn.deficit) {
        turn.deficit -= cost;
        first.served += 1;
        if (first.served === first.run.windows) this.remove(first.run.id);
        return first.run.id;
      }
      this.#round.shift();
      this.#round.push(turn);
      this.#given = false;
    }
  }

  /** Charges a tenant with milliseconds beyond what was expected of its window, or gives back (negative). */
  charge(tenant: string, milliseconds: number): void {
    const turn = this.#round.find((other) => other.tenant === tenant);
    if (turn !== undefined) turn.deficit -= milliseconds;
  }

  #turnOf(id: number): Turn | undefined {
    const tenant = this.#tenantOf.get(id);
    return this.#round.find((turn) => turn.tenant === tenant);
  }
}

function firstOf(runs: ReadonlyMap<number, Queued>): Queued {
  const [first, ...others] = runs.values();
  if (first === undefined) throw new Error('a tenant without runs is in the round');
  return others.reduce((best, other) => (goesBefore(other, best) ? other : best), first);
}

function goesBefore(a: Queued, b: Queued): boolean {
  if (a.served !== b.served) return a.served < b.served;
  if (a.run.deadline !== b.run.deadline) return a.run.deadline < b.run.deadline;
  return a.run.id < b.run.id;
}
