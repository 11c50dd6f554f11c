import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { callHeaders, problemOf, startTestRunner, type TestRunner } from '../../support/runner.ts';
import { fileOf, type ModelFile, noiseVolume, type SmallModel, smallModel } from '../../support/small-model.ts';

describe('POST /verify', () => {
  let test: TestRunner;
  let model: SmallModel;
  let adapter: ModelFile;

  beforeAll(async () => {
    [test, model] = await Promise.all([startTestRunner(), smallModel()]);
    adapter = await model.adapter();
    test.edge.put(model.base);
    test.edge.put(adapter);
  });

  afterAll(async () => await test.close());

  async function verify(of: ModelFile | null, base = model.base): Promise<unknown> {
    const reply = await fetch(new URL('/verify', test.url), { method: 'POST', headers: callHeaders(base, of) });
    if (reply.status !== 200) return await problemOf(reply);
    return await reply.json();
  }

  it('finds nothing wrong with a valid adapter, which is then hot', async () => {
    expect(await verify(adapter)).toEqual({ digest: adapter.digest, problems: [], warnings: [] });
    const reply = await fetch(new URL('/segment', test.url), {
      method: 'POST',
      headers: callHeaders(model.base, adapter),
      body: new Uint8Array(await noiseVolume([8, 8, 8])),
    });
    expect(reply.headers.get('x-adapter-cache')).toBe('hot');
  });

  it('finds nothing wrong with a valid base, and answers its base digest', async () => {
    expect(await verify(null)).toEqual({ digest: model.base.baseDigest, problems: [], warnings: [] });
  });

  it('tells an adapter whose self-test misses', async () => {
    const { positions, roi_size } = {
      positions: Array.from({ length: 18 }, (_, n) => (n % 3) * 65_536 + n),
      roi_size: [32, 32, 64],
    };
    const lying = await model.adapter({ selftest: { roi_size, positions, expected: positions.map(() => 50) } });
    test.edge.put(lying);
    expect(await verify(lying)).toMatchObject({ digest: lying.digest, problems: [{ code: 'selftest' }] });
    expect(await verify(adapter)).toMatchObject({ problems: [] });
  });

  it('tells what is wrong with a file that is no base', async () => {
    const broken = fileOf(model.base.bytes.subarray(0, 9_000));
    test.edge.put(broken);
    const base = { ...broken, baseDigest: `sha256:${'0'.repeat(64)}` };
    expect(await verify(null, base)).toMatchObject({ problems: [{ code: 'container' }] });
    expect(await verify(null)).toMatchObject({ problems: [] });
  });

  it('says nothing about a file that it cannot have', async () => {
    expect(await verify(fileOf(Uint8Array.of(7)))).toMatchObject({ status: 404, code: 'not_found' });
  });
});
