import { Hono } from 'hono';
import type { EdgeEnv } from '../http/context.ts';

/** The files of Swagger UI that its page needs; everything comes from our own origin. */
const FILES = ['swagger-ui.css', 'swagger-ui-bundle.js', 'favicon-32x32.png'] as const;

const PAGE = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>PDoRA Serve</title>
<link rel="stylesheet" href="/docs/swagger-ui.css">
<link rel="icon" type="image/png" href="/docs/favicon-32x32.png">
</head>
<body>
<div id="swagger-ui"></div>
<script src="/docs/swagger-ui-bundle.js"></script>
<script src="/docs/start.js"></script>
</body>
</html>
`;

// Without a validator's URL the page asks nobody else about the document.
const START = `SwaggerUIBundle({ url: '/openapi.json', dom_id: '#swagger-ui', deepLinking: true, validatorUrl: null });
`;

const POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self'";

/** `/docs` shows `/openapi.json`. */
export const docsRoutes = new Hono<EdgeEnv>()
  .get('/docs', (c) => c.html(PAGE, 200, { 'content-security-policy': POLICY }))
  .get('/docs/start.js', (c) => c.body(START, 200, { 'content-type': 'text/javascript; charset=utf-8' }));

for (const file of FILES) {
  docsRoutes.get(`/docs/${file}`, (c) => c.env.ASSETS.fetch(new URL(`/docs/${file}`, c.req.url)));
}
