import { describe, expect, it } from 'vitest';
import { readSettings } from '../../../gpu-runner/settings.ts';

const TOKEN = 'sixteen characters';

describe('readSettings', () => {
  it('needs a token alone', () => {
    expect(readSettings({ PDORA_RUNNER_TOKEN: TOKEN })).toMatchObject({
      host: '127.0.0.1',
      port: 8788,
      token: TOKEN,
      edgeUrl: null,
      basePath: null,
      providers: ['cuda', 'cpu'],
      threads: 0,
      windows: null,
      queueLimit: 16,
    });
  });

  it('reads lists and sizes, and takes an empty variable as one that is not there', () => {
    const settings = readSettings({
      PDORA_RUNNER_TOKEN: TOKEN,
      PDORA_PROVIDERS: 'cpu',
      PDORA_WINDOWS: '64x64x64, 96x96x64',
      PDORA_MEMORY_MB: '3',
      PDORA_BASE: '',
      PDORA_EDGE_URL: 'http://127.0.0.1:8787',
    });
    expect(settings).toMatchObject({
      providers: ['cpu'],
      windows: [
        [64, 64, 64],
        [96, 96, 64],
      ],
      memoryBytes: 3 * 2 ** 20,
      basePath: null,
      edgeUrl: 'http://127.0.0.1:8787',
    });
  });

  it.each([
    ['PDORA_RUNNER_TOKEN', 'short'],
    ['PDORA_RUNNER_PORT', '65536'],
    ['PDORA_PROVIDERS', 'tpu'],
    ['PDORA_WINDOWS', '64x64'],
    ['PDORA_WINDOWS', '64x64x64x64'],
    ['PDORA_WINDOWS', '32x32x32'],
    ['PDORA_QUEUE_LIMIT', '0'],
    ['PDORA_MEMORY_MB', 'all'],
    ['PDORA_EDGE_URL', 'nowhere'],
  ])('refuses %s=%s and names it', (name, value) => {
    expect(() => readSettings({ PDORA_RUNNER_TOKEN: TOKEN, [name]: value })).toThrow(name);
  });
});
