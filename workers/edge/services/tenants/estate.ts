import type { Ports } from '../../ports.ts';
import type { Estate } from '../../store/tenant-store.ts';
import { takeAway } from '../files/take-away.ts';
import { inputKey, resultsOf } from '../jobs/job-key.ts';
import { imageKey } from '../monai-label/image-key.ts';
import { clearRemains } from '../uploads/remove.ts';

/** Takes what a deleted tenant leaves out of the bucket. Rejects after all was tried. */
export async function clearEstate(ports: Ports, { files, uploads, images, jobs }: Estate): Promise<void> {
  const works = [
    ...files.map((digest) => () => takeAway(ports, [digest])),
    ...uploads.map((upload) => () => clearRemains(ports, [upload])),
    ...images.map((image) => () => ports.objects.remove([imageKey(image)])),
    ...jobs.map((job) => () => ports.objects.remove([inputKey(job)])),
    ...jobs.map((job) => () => clearResults(ports, job)),
  ];
  const failures: unknown[] = [];
  for (const work of works) await work().catch((error: unknown) => failures.push(error));
  if (failures.length > 0) throw new AggregateError(failures, 'not all of a deleted tenant left the bucket');
}

async function clearResults(ports: Ports, job: string): Promise<void> {
  const found = await ports.objects.before(resultsOf(job), Number.MAX_SAFE_INTEGER);
  await ports.objects.remove(found.keys);
}
