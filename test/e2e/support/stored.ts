import { createHmac } from 'node:crypto';
import { fileOf } from '../../support/small-model.ts';
import { type Edge, SECRETS } from './edge.ts';

const GRANT_SECONDS = 60;

/** Whether the edge's bucket has a file, asked as a runner that was granted it. */
export async function isStored(edge: Edge, file: Uint8Array): Promise<boolean> {
  const hex = fileOf(file).digest.slice('sha256:'.length);
  const expiry = Math.floor(Date.now() / 1000) + GRANT_SECONDS;
  const signature = createHmac('sha256', SECRETS.GRANT_SECRET).update(`v1\n${hex}\n${expiry}`).digest('hex');
  const reply = await edge.call('GET', `/internal/blobs/${hex}`, {
    key: SECRETS.RUNNER_TOKEN,
    headers: { 'x-grant': `v1.${expiry}.${signature}` },
  });
  await reply.arrayBuffer();
  if (reply.status !== 200 && reply.status !== 404) throw new Error(`expected 200 or 404, found ${reply.status}`);
  return reply.status === 200;
}
