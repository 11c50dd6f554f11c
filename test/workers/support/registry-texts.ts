import { problem } from './edge.ts';
import type { ModelKey, ModelRef, Told } from './registry-model.ts';

/** A reference as the key's tenant may write it: its own adapters without their tenant. */
export function textOf({ tenant }: ModelKey, ref: ModelRef): string {
  if ('digest' in ref) return ref.digest;
  const name = ref.place.startsWith(`${tenant}/`) ? ref.place.slice(tenant.length + 1) : ref.place;
  if (ref.at === 'latest') return name;
  return `${name}@${typeof ref.at === 'number' ? ref.at : ref.at.alias}`;
}

export function segmentPath(key: ModelKey, ref: ModelRef): string {
  return `/v1/segmentations?adapter=${encodeURIComponent(textOf(key, ref))}`;
}

export function keyPath({ tenant, id }: ModelKey): string {
  return `/v1/tenants/${tenant}/keys/${id}`;
}

export async function toldOf(reply: Response): Promise<Told> {
  return reply.ok ? String(reply.status) : `${reply.status} ${(await problem(reply.clone())).code}`;
}

export function pick(from: unknown, ...names: string[]): Record<string, unknown> {
  const all = new Map(Object.entries(Object(from)));
  return Object.fromEntries(names.map((name) => [name, all.get(name)]));
}
