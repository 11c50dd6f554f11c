import { gunzipSync } from 'node:zlib';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { noiseVolume } from '../support/small-model.ts';
import { SECRETS } from './support/edge.ts';
import { endOf, submitJob } from './support/jobs.ts';
import { labelMap, problemOf, type SmallSystem, startSmallSystem } from './support/small-system.ts';

/** Planted where nothing may be printed of it. */
const PATIENT = 'DOE^JANE-1970';
const STRANGER = 'token-of-a-stranger';
const GRANT = 'v1.1999999999.a-grant-of-a-stranger';
/** Of 80 characters of free text in a NIfTI-1 header (nifti1.h). */
const DESCRIP_OFFSET = 148;

let system: SmallSystem;
let volume: Buffer;

beforeAll(async () => {
  system = await startSmallSystem();
  volume = gunzipSync(await noiseVolume([24, 28, 40]));
  volume.write(PATIENT, DESCRIP_OFFSET);
});
afterAll(async () => await system.close());

async function segment(body: Uint8Array): Promise<Response> {
  const form = new FormData();
  form.append('T1', new Blob([new Uint8Array(body)]), `${PATIENT}.nii`);
  return await system.segment('adapter=good', form);
}

test("what the runner prints holds no key, token, grant or secret, and nothing of a volume's file", async () => {
  await labelMap(await segment(volume));
  // Cut off, so that what is wrong with it is told of it.
  expect((await problemOf(await segment(volume.subarray(0, 5_000)))).code).toBe('invalid_volume');
  const job = await submitJob(system.edge, system.key, 'good', volume);
  await endOf(system.edge, system.key, job, Date.now() + 60_000);
  const runner = system.runner();
  const stranger = { authorization: `Bearer ${STRANGER}`, 'x-grant': GRANT };
  expect((await fetch(new URL('/segment', runner.url), { method: 'POST', headers: stranger })).status).toBe(401);
  // What it does print of these calls, so that an empty log shows nothing.
  for (const event of ['"event":"segmented"', '"event":"refused"', '"code":"unauthorized"']) {
    await expect.poll(() => runner.printed()).toContain(event);
  }
  const lines = runner.printed();
  for (const secret of [...Object.values(SECRETS), system.key, STRANGER, GRANT, PATIENT]) {
    expect(lines).not.toContain(secret);
  }
  expect(lines).not.toMatch(/authorization|bearer|x-grant|v1\.\d{10}\./i);
  for (const encoding of ['base64', 'hex'] as const) {
    expect(lines).not.toContain(volume.subarray(400, 430).toString(encoding).slice(4, 36));
  }
});
