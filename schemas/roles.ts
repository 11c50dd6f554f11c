import type { LowRankTarget, Target } from './target.ts';

/** Tensor of an adapter that plays a role for a parameter. */
export function tensorName(parameter: string, role: string): string {
  return `${parameter}::${role}`;
}

/**
 * The tensors that a low-rank target on a layer `[out, in]` needs, each with its shape: the table of section 2 of the
 * format page.
 */
export function lowRankRoles(target: LowRankTarget, out: number, into: number): ReadonlyMap<string, readonly number[]> {
  const roles = new Map<string, readonly number[]>([
    ['up', [out, target.rank]],
    ['down', [target.rank, into]],
  ]);
  if (target.method === 'pissa' || target.method === 'loram' || target.method === 'pdora') {
    roles.set('up0', [out, target.rank]);
    roles.set('down0', [target.rank, into]);
  }
  if (target.method === 'dora' || target.method === 'pdora') {
    roles.set('magnitude', [target.norm_axis === 'in' ? into : out]);
  }
  if (target.method === 'bora') {
    roles.set('magnitude_out', [out]);
    roles.set('magnitude_in', [into]);
  }
  if (target.method === 'map') {
    roles.set('alpha', []);
    roles.set('beta', []);
  }
  return roles;
}

/** The roles of a target's tensors, whatever the layer. */
export function rolesOf(target: Target): readonly string[] {
  return target.method === 'delta' ? ['delta'] : [...lowRankRoles(target, 0, 0).keys()];
}
