import { env } from 'cloudflare:workers';
import { expect, test } from 'vitest';
import { readSettings } from '../../workers/edge/settings.ts';

const urls = (list: string) => readSettings({ ...env, GPU_RUNNER_URLS: list }).runnerUrls;

test.each([
  ['one runner', 'http://10.0.0.1:8788', ['http://10.0.0.1:8788']],
  ['several', 'http://a:8788, https://b ,http://c:80', ['http://a:8788', 'https://b', 'http://c']],
  ['one twice, spelt in two ways', 'http://A:8788/,http://a:8788', ['http://a:8788']],
  ['a comma too many', 'http://a,,http://b,', ['http://a', 'http://b']],
])('runners: %s', (_, list, expected) => {
  expect(urls(list)).toEqual(expected);
});

test.each(['', ' , ', 'a:8788', 'ftp://a', 'http://a,nowhere', 'file:///etc/passwd'])(
  'nothing is served with runners at "%s"',
  (list) => {
    expect(() => urls(list)).toThrow('GPU_RUNNER_URLS');
  },
);
