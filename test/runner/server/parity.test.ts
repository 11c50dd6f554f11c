import { gunzipSync } from 'node:zlib';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { parityCases } from '../../support/parity-case.ts';
import { callHeaders, startTestRunner, type TestRunner } from '../../support/runner.ts';
import { describeShared } from '../../support/shared.ts';
import { fileOf } from '../../support/small-model.ts';

function voxelsOf(gzipped: ArrayBuffer | Uint8Array): Buffer {
  const nii = gunzipSync(gzipped);
  return nii.subarray(nii.readFloatLE(108));
}

describeShared('whole volumes against MONAI, over HTTP', () => {
  let test: TestRunner;

  beforeAll(async () => {
    test = await startTestRunner();
  });

  afterAll(async () => await test.close());

  it.each(parityCases())('$name: its adapter, fetched from the edge, gives the label map', async (parity) => {
    const run = parity.runs.find(({ adapter }) => adapter !== null);
    const base = { ...fileOf(parity.file(parity.base.file)), baseDigest: parity.base.digest };
    const adapter = fileOf(parity.file(run?.adapter ?? ''));
    test.edge.put(base);
    test.edge.put(adapter);
    const form = new FormData();
    // Parts are told apart by their names, not by their order.
    for (const [n, { file }] of [...parity.inputs.entries()].toReversed()) {
      form.append(parity.channels[n] ?? '', new Blob([parity.file(file)]), 'volume.nii.gz');
    }
    const reply = await fetch(new URL('/segment', test.url), {
      method: 'POST',
      headers: callHeaders(base, adapter),
      body: form,
    });
    expect(reply.status).toBe(200);
    expect(reply.headers.get('x-base-digest')).toBe(parity.base.digest);
    const answer = voxelsOf(await reply.arrayBuffer());
    const golden = voxelsOf(parity.file(run?.labels.file ?? ''));
    expect(answer.length).toBe(golden.length);
    const equal = answer.filter((label, n) => label === golden[n]).length;
    expect(equal / golden.length).toBeGreaterThanOrEqual(0.999);
  });
});
