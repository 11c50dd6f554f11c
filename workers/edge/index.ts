import { HOUSEKEEPING_CRON } from './configured.ts';
import { everyone } from './http/auth.ts';
import { onError, onNotFound } from './http/errors.ts';
import { refuseIdempotencyKey } from './http/idempotency.ts';
import { allowOrigins, prepare } from './http/middleware.ts';
import { DOCUMENT, KEY_SCHEME, routes, SIGNATURE_SCHEME } from './http/openapi.ts';
import type { JobMessage } from './job-queue.ts';
import { type Ports, portsOf } from './ports.ts';
import { adapterFileRoutes } from './routes/adapter-file.ts';
import { adapterRoutes } from './routes/adapters.ts';
import { aliasRoutes } from './routes/aliases.ts';
import { auditRoutes } from './routes/audit.ts';
import { baseRoutes } from './routes/bases.ts';
import { consoleRoutes } from './routes/console.ts';
import { docsRoutes } from './routes/docs.ts';
import { grantRoutes } from './routes/grants.ts';
import { healthRoutes } from './routes/health.ts';
import { internalBlobRoutes } from './routes/internal-blobs.ts';
import { jobEventRoutes } from './routes/job-events.ts';
import { jobRoutes } from './routes/jobs.ts';
import { keyRoutes } from './routes/keys.ts';
import { linkRoutes } from './routes/links.ts';
import { modelRoutes } from './routes/models.ts';
import { monaiLabelRoutes } from './routes/monai-label/routes.ts';
import { quotaRoutes } from './routes/quotas.ts';
import { segmentationRoutes } from './routes/segmentations.ts';
import { tenantRoutes } from './routes/tenants.ts';
import { uploadRoutes } from './routes/uploads.ts';
import { verifyWaiting } from './services/adapters/verify.ts';
import { keepHouse } from './services/housekeeping/keep-house.ts';
import { runJob } from './services/jobs/run.ts';
import { sweepJobs } from './services/jobs/sweep.ts';

/** For a message whose job could not be looked at. */
const RETRY_SECONDS = 5;

/** Exported for the test that walks every route. */
export const app = routes();
app.use(prepare, allowOrigins, refuseIdempotencyKey);
for (const resource of [
  healthRoutes,
  tenantRoutes,
  quotaRoutes,
  keyRoutes,
  linkRoutes,
  baseRoutes,
  adapterRoutes,
  adapterFileRoutes,
  aliasRoutes,
  grantRoutes,
  modelRoutes,
  segmentationRoutes,
  jobRoutes,
  jobEventRoutes,
  auditRoutes,
  uploadRoutes,
  internalBlobRoutes,
  monaiLabelRoutes,
  consoleRoutes,
  docsRoutes,
]) {
  app.route('/', resource);
}
app.openAPIRegistry.registerComponent('securitySchemes', 'key', KEY_SCHEME);
app.openAPIRegistry.registerComponent('securitySchemes', 'signature', SIGNATURE_SCHEME);
app.openAPIRegistry.registerPath({
  method: 'get',
  path: '/openapi.json',
  summary: 'This document',
  tags: ['service'],
  ...everyone,
  responses: { 200: { description: 'OpenAPI 3.1', content: { 'application/json': { schema: { type: 'object' } } } } },
});
app.doc31('/openapi.json', DOCUMENT);
app.onError(onError);
app.notFound(onNotFound(app));

export { TenantLimits } from './limits/tenant-limits.ts';

export default {
  fetch: app.fetch,
  async scheduled({ cron }, env, context) {
    const ports = portsOf(env, context);
    await (cron === HOUSEKEEPING_CRON ? keepHouse(ports) : Promise.all([verifyWaiting(ports), sweepJobs(ports)]));
  },
  async queue(batch, env, context) {
    await Promise.all(batch.messages.map((message) => takeUp(portsOf(env, context), message)));
  },
} satisfies ExportedHandler<Env, JobMessage>;

/** A message is done once the job needs it no more; what stands in the way of that, such as a database that is away, passes. */
async function takeUp(ports: Ports, message: Message<JobMessage>): Promise<void> {
  try {
    await runJob(ports, message.body);
    message.ack();
  } catch (error) {
    ports.log.error('job', error, { job: message.body.job });
    message.retry({ delaySeconds: RETRY_SECONDS });
  }
}
