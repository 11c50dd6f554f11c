import { describe, expect, it } from 'vitest';
import { readDevSettings } from '../../cli/dev/settings.ts';

describe('readDevSettings', () => {
  it.each([
    [{}, [8788]],
    [{ PDORA_RUNNERS: '' }, [8788]],
    [{ PDORA_RUNNERS: '3' }, [8788, 8789, 8790]],
    [{ PDORA_RUNNERS: '2', PDORA_RUNNER_PORT: '65534' }, [65_534, 65_535]],
  ])('puts the runners of %o on consecutive ports', (env, ports) => {
    expect(readDevSettings(env).runnerPorts).toEqual(ports);
  });

  it.each([
    ['no runner', { PDORA_RUNNERS: '0' }, 'PDORA_RUNNERS'],
    ['half a runner', { PDORA_RUNNERS: '0.5' }, 'PDORA_RUNNERS'],
    ['too many runners', { PDORA_RUNNERS: '17' }, 'PDORA_RUNNERS'],
    ['ports beyond the last', { PDORA_RUNNERS: '2', PDORA_RUNNER_PORT: '65535' }, 'PDORA_RUNNERS'],
    ['a runner on the port of the edge', { PDORA_RUNNERS: '3', PDORA_PORT: '8790' }, 'PDORA_PORT'],
    ['the one runner there', { PDORA_PORT: '8788' }, 'PDORA_PORT'],
  ])('refuses %s', (_, env, name) => {
    expect(() => readDevSettings(env)).toThrow(name);
  });
});
