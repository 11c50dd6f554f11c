const PAUSES_MS = [50, 250];

/** What storage refuses now it may do in a moment: three tries, then the last failure. For work that may be repeated. */
export async function persistently<T>(work: () => Promise<T>): Promise<T> {
  for (const pause of PAUSES_MS) {
    try {
      return await work();
    } catch {
      await scheduler.wait(pause);
    }
  }
  return work();
}
