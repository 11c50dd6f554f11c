import { everyone } from './http/auth.ts';
import { onError, onNotFound } from './http/errors.ts';
import { allowOrigins, prepare, refuseIdempotencyKey } from './http/middleware.ts';
import { DOCUMENT, KEY_SCHEME, routes, SIGNATURE_SCHEME } from './http/openapi.ts';
import { portsOf } from './ports.ts';
import { adapterFileRoutes } from './routes/adapter-file.ts';
import { adapterRoutes } from './routes/adapters.ts';
import { baseRoutes } from './routes/bases.ts';
import { docsRoutes } from './routes/docs.ts';
import { healthRoutes } from './routes/health.ts';
import { internalBlobRoutes } from './routes/internal-blobs.ts';
import { keyRoutes } from './routes/keys.ts';
import { modelRoutes } from './routes/models.ts';
import { segmentationRoutes } from './routes/segmentations.ts';
import { tenantRoutes } from './routes/tenants.ts';
import { uploadRoutes } from './routes/uploads.ts';
import { verifyWaiting } from './services/adapters/verify.ts';
import { keepHouse } from './services/housekeeping/keep-house.ts';

/** As in wrangler.toml; every other cron verifies what waits. */
const HOUSEKEEPING_CRON = '17 * * * *';

const app = routes();
app.use(prepare, allowOrigins, refuseIdempotencyKey([]));
for (const resource of [
  healthRoutes,
  tenantRoutes,
  keyRoutes,
  baseRoutes,
  adapterRoutes,
  adapterFileRoutes,
  modelRoutes,
  segmentationRoutes,
  uploadRoutes,
  internalBlobRoutes,
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

export default {
  fetch: app.fetch,
  async scheduled({ cron }, env, context) {
    const ports = portsOf(env, context);
    await (cron === HOUSEKEEPING_CRON ? keepHouse(ports) : verifyWaiting(ports));
  },
} satisfies ExportedHandler<Env>;
