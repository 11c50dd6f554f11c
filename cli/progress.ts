import { Presets, SingleBar } from 'cli-progress';
import { whenInterrupted } from './interrupt.ts';

export interface Progress {
  update(value: number): void;
  stop(): void;
}

/** A bar on stderr while work goes on; silent where stderr is no terminal, so that logs and pipes stay clean. */
export function progressBar(what: string, total: number): Progress {
  return start(`${what} {bar} {percentage}% | {duration_formatted}`, total);
}

/** Shows how long something of unknown length has taken. */
export function spinner(what: string): Progress {
  return start(`${what} … {duration_formatted}`, 0);
}

function start(format: string, total: number): Progress {
  if (!process.stderr.isTTY) return { update: () => undefined, stop: () => undefined };
  const bar = new SingleBar({ format, hideCursor: true, clearOnComplete: true }, Presets.shades_classic);
  bar.start(total, 0);
  // A bar hides the cursor until it stops.
  const notInterrupted = whenInterrupted(() => bar.stop());
  return {
    update: (value) => bar.update(value),
    stop() {
      notInterrupted();
      bar.stop();
    },
  };
}
