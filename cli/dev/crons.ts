/** As in wrangler.toml. */
export const EVERY_MINUTE = '* * * * *';
export const HOURLY = '17 * * * *';

const MINUTE_MS = 60_000;
const HOUR_MINUTES = 60;

/** Fires the crons of the edge, which nothing does on one's own machine: the hourly one with the first minute's too, for who runs it for less. */
export function fireCrons(fire: (cron: string) => void): void {
  let minutes = 0;
  setInterval(() => {
    fire(EVERY_MINUTE);
    if (minutes % HOUR_MINUTES === 0) fire(HOURLY);
    minutes += 1;
  }, MINUTE_MS);
}
