type CleanUp = () => void | Promise<void>;

const cleanUps = new Set<CleanUp>();
const STATUS = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 } as const;

/** Runs `cleanUp` if a signal ends the process; the function returned takes that back. */
export function whenInterrupted(cleanUp: CleanUp): () => void {
  cleanUps.add(cleanUp);
  return () => cleanUps.delete(cleanUp);
}

/** Signals clean up and end the process with the shell's status for them; a second one ends it at once. */
export function handleInterrupts(): void {
  let interrupted = false;
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(signal, () => {
      if (interrupted) process.exit(STATUS[signal]);
      interrupted = true;
      const all = [...cleanUps].map(async (cleanUp) => await cleanUp());
      void Promise.allSettled(all).then(() => process.exit(STATUS[signal]));
    });
  }
}
