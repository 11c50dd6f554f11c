import type { z } from 'zod';
import { adapterSchema, keyCreatedSchema, tenantSchema } from '../../schemas/api.ts';
import { Client } from '../client.ts';
import { pushAdapter } from '../commands/adapter-push.ts';
import { projectPath } from '../root.ts';
import { waitUntilReady } from '../wait.ts';
import type { Task } from './cases.ts';

/** A tenant of the demo with its own key and its uploaded adapter. */
export interface Customer {
  readonly task: Task;
  readonly client: Client;
  readonly digest: string;
  readonly labels: z.infer<typeof adapterSchema>['labels'];
}

export function modelFile(name: string): string {
  return projectPath('models', 'phantom', `${name}.safetensors`);
}

/** Makes a tenant and a key, uploads its adapter with that key, and waits until a runner has verified it. */
export async function welcome(admin: Client, task: Task): Promise<Customer> {
  await admin.json('POST', '/v1/tenants', tenantSchema, {}, { id: task.tenant });
  const scopes = ['adapters:read', 'adapters:write', 'segment'];
  const path = `/v1/tenants/${task.tenant}/keys`;
  const { key } = await admin.json('POST', path, keyCreatedSchema, {}, { name: 'demo', scopes });
  const client = new Client(admin.url, key);
  const pushed = await pushAdapter(client, modelFile(task.adapter), task.adapter);
  await waitUntilReady(client, pushed);
  const { labels, digest } = await client.json('GET', `/v1/adapters/${task.adapter}`, adapterSchema);
  return { task, client, digest, labels };
}
