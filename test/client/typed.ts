import type { ApiError, Client, ErrorCode, Job } from '../../client/index.ts';

/** Never run: the compiler refuses each line below an expected error, and takes every other. */
export async function typed(client: Client, file: Blob, job: Job, error: ApiError): Promise<void> {
  const { data } = await client.api.GET('/v1/adapters', { params: { query: { limit: 5 } } });
  const names: string[] = data?.data.map(({ adapter }) => adapter) ?? [];
  const latest: number | null | undefined = data?.data[0]?.latest;
  // @ts-expect-error: an adapter has no such field
  void data?.data[0]?.digests;
  // @ts-expect-error: there is no such path
  await client.api.GET('/v1/adaptors');
  // @ts-expect-error: a limit is a number
  await client.api.GET('/v1/adapters', { params: { query: { limit: 'five' } } });
  const path = { name: 'a', alias: 'b' };
  // @ts-expect-error: an alias needs what it is expected at
  await client.api.PUT('/v1/adapters/{name}/aliases/{alias}', { params: { path }, body: { version: 1 } });

  const segmentation = await client.segment('a', file, { output: 'probabilities', format: 'nrrd', report: true });
  const volume: number | undefined = segmentation.report?.labels[0]?.volume_ml;
  // @ts-expect-error: there is no such output
  await client.segment('a', file, { output: 'logits' });
  // @ts-expect-error: a path is no volume
  await client.segment('a', 't1.nii.gz');
  // @ts-expect-error: a job may be queued, but not waiting
  const waits = job.status === 'waiting';
  const code: ErrorCode | 'unknown' = error.code;
  // @ts-expect-error: the service has no such code
  const missing = error.code === 'no_such_adapter';
  void [names, latest, volume, waits, code, missing];
}
