import { ServiceError } from '../../../../schemas/errors.ts';
import type { RunReport } from '../../../../schemas/report.ts';
import type { Ports } from '../../ports.ts';
import type { Principal } from '../../principal.ts';
import type { JobRecord } from '../../store/job-store.ts';
import { findJob } from './end.ts';
import { resultOf } from './result.ts';

/** The report of a job, which outlives its label map. Throws as `openResult` while there is none, and `not_found`. */
export async function findReport(
  ports: Ports,
  principal: Principal,
  id: string,
): Promise<{ job: JobRecord; report: RunReport }> {
  const job = await findJob(ports, principal, id);
  const { report } = resultOf(job);
  if (report === null) throw new ServiceError('not_found', 'The runner told no report of this segmentation.');
  return { job, report };
}
