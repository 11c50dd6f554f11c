import { once } from 'node:events';
import { promised, startStubRunner } from '../../test/e2e/support/stub-runner.ts';

/** A stub runner as a program: it reads a body whole, then answers as its argument says, until it is told to end. */

const SMALL_LABEL_MAP_BYTES = 20_000;
const small = Buffer.alloc(SMALL_LABEL_MAP_BYTES, 7);
const echoes = process.argv[2] === 'echo';

const stub = await startStubRunner();
stub.segment = (request, response) => {
  const chunks: Buffer[] = [];
  request.on('data', (chunk: Buffer) => {
    if (echoes) chunks.push(chunk);
  });
  request.on('end', () => {
    const adapter = request.headers['x-adapter-digest'];
    const bytes = echoes ? chunks.reduce((sum, chunk) => sum + chunk.byteLength, 0) : small.byteLength;
    response.writeHead(200, {
      ...promised(request),
      ...(adapter === undefined ? {} : { 'x-adapter-digest': adapter }),
      'content-length': String(bytes),
    });
    for (const chunk of chunks) response.write(chunk);
    response.end(echoes ? undefined : small);
  });
};
process.send?.(stub.url);
await once(process, 'disconnect');
await stub.close();
