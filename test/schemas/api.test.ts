import { describe, expect, it } from 'vitest';
import { keyCreateSchema, pageQuerySchema, segmentationQuerySchema, tenantCreateSchema } from '../../schemas/api.ts';

describe('the bodies and queries of the API', () => {
  it('refuse a key they do not know', () => {
    expect(tenantCreateSchema.safeParse({ id: 'clinic', extra: 1 }).success).toBe(false);
    expect(keyCreateSchema.safeParse({ name: 'k', scopes: ['segment'], extra: 1 }).success).toBe(false);
  });

  it.each([{}, { id: 'Clinic' }, { id: '' }, { id: 'a/b' }, null, []])('refuse a tenant: %j', (body) => {
    expect(tenantCreateSchema.safeParse(body).success).toBe(false);
  });

  it.each([
    { name: 'k', scopes: [] },
    { name: 'k', scopes: ['admin'] },
    { name: 'k', scopes: ['segment', 'segment'] },
    { name: '', scopes: ['segment'] },
    { name: 'k', scopes: ['segment'], expires_at: 'tomorrow' },
    { scopes: ['segment'] },
  ])('refuse a key: %j', (body) => {
    expect(keyCreateSchema.safeParse(body).success).toBe(false);
  });

  it('accept a key with an expiry in any offset', () => {
    const body = { name: 'k', scopes: ['segment', 'tenant:admin'], expires_at: '2030-01-01T00:00:00+02:00' };
    expect(keyCreateSchema.safeParse(body).success).toBe(true);
  });

  it('default to labels as NIfTI without a report; a deadline of its own is the way of answering', () => {
    expect(segmentationQuerySchema.parse({ adapter: 'liver' })).toEqual({
      adapter: 'liver',
      output: 'labels',
      format: 'nifti',
      report: 'false',
    });
  });

  it.each([
    {},
    { adapter: '' },
    { adapter: 'liver', output: 'mesh' },
    { adapter: 'liver', deadline: '0' },
    { adapter: 'liver', deadline: '-1' },
    { adapter: 'liver', deadline: 'soon' },
    { adapter: 'liver', deadline: '1e9' },
  ])('refuse a query: %j', (query) => {
    expect(segmentationQuerySchema.safeParse(query).success).toBe(false);
  });

  it('bound a page', () => {
    expect(pageQuerySchema.parse({})).toEqual({ limit: 50 });
    expect(pageQuerySchema.safeParse({ limit: '201' }).success).toBe(false);
    expect(pageQuerySchema.safeParse({ limit: '1.5' }).success).toBe(false);
  });
});
