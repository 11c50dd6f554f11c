import { describe, expect, it } from 'vitest';
import { problemSchema } from '../../schemas/api.ts';
import { ERROR_CODES, ERROR_TITLE, problemDetails, ServiceError } from '../../schemas/errors.ts';

describe('problem details', () => {
  it('carry code, status, title, detail and request id', () => {
    const reply = problemDetails(new ServiceError('not_found', 'No adapter clinic/liver.'), 'req-1');
    expect(reply.status).toBe(404);
    expect(reply.headers).toEqual({ 'content-type': 'application/problem+json' });
    expect(reply.body).toEqual({
      type: 'urn:pdora-serve:problem:not_found',
      title: 'Not found',
      status: 404,
      detail: 'No adapter clinic/liver.',
      code: 'not_found',
      request_id: 'req-1',
    });
  });

  it('carry the problems of a file', () => {
    const problems = [{ code: 'tensors', path: 'x', message: 'expected y, found z' }] as const;
    const { body } = problemDetails(new ServiceError('invalid_adapter', 'refused', { problems }), 'r');
    expect(body.problems).toEqual(problems);
  });

  it.each([new Error('secret /etc/passwd'), 'secret', null, { code: 'not_found', message: 'secret' }])(
    'of an unforeseen error say nothing of it: %j',
    (error) => {
      const reply = problemDetails(error, 'r');
      expect(reply.status).toBe(500);
      expect(reply.body.code).toBe('internal');
      expect(JSON.stringify(reply)).not.toMatch(/secret|passwd/);
    },
  );

  it('say when to try again for every 429 and 503', () => {
    expect(
      problemDetails(new ServiceError('runner_busy', 'full', { retryAfterSeconds: 2.2 }), 'r').headers,
    ).toMatchObject({
      'retry-after': '3',
    });
    for (const code of ['rate_limited', 'quota_exceeded', 'runner_busy', 'runner_unavailable'] as const) {
      expect(problemDetails(new ServiceError(code, 'x'), 'r').headers['retry-after']).toMatch(/^\d+$/);
    }
  });

  it('ask for a bearer key where one is needed', () => {
    expect(problemDetails(new ServiceError('unauthorized', 'x'), 'r').headers['www-authenticate']).toBe('Bearer');
  });

  it('fit the schema that the API documents, for every code', () => {
    for (const code of ERROR_CODES) {
      const { body } = problemDetails(new ServiceError(code, 'x'), 'r');
      expect(problemSchema.parse(body)).toEqual(body);
      expect(ERROR_TITLE[code]).not.toBe('');
    }
  });
});
