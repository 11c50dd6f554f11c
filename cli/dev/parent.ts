const POLL_MS = 500;

/** Calls `gone` once the process that started this one has ended, however it ended. */
export function watchParent(gone: () => void): void {
  const parent = process.ppid;
  const timer = setInterval(() => {
    if (process.ppid === parent) return;
    clearInterval(timer);
    gone();
  }, POLL_MS);
  timer.unref();
}

/** As `watchParent` under npm, which ends without a word to its script when it is killed; a shell may leave on purpose. */
export function watchNpm(gone: () => void): void {
  if (process.env['npm_command'] !== undefined) watchParent(gone);
}
