/** What the code has to know of wrangler.toml; a test compares them. */

/** Every other cron takes up what waits. */
export const HOUSEKEEPING_CRON = '17 * * * *';
/** Of the binding `BURST`. */
export const BURST_PERIOD_SECONDS = 10;
