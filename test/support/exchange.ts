import { once } from 'node:events';
import { type Agent, type IncomingHttpHeaders, type IncomingMessage, request } from 'node:http';

export interface Sent {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Uint8Array;
  /** Whose connections are used; without one, a connection of its own. */
  readonly agent?: Agent;
}

export interface Received {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
}

/** One HTTP call that sends its body without a copy and hands the reply's on as it comes; `fetch` would copy both. */
export async function exchange(url: URL, sent: Sent, take: (chunk: Buffer) => void = () => {}): Promise<Received> {
  const { method = 'POST', headers = {}, body = new Uint8Array(0), agent = false } = sent;
  const length = method === 'GET' ? {} : { 'content-length': String(body.byteLength) };
  const outgoing = request(url, { method, agent, headers: { ...headers, ...length } });
  const replied: Promise<IncomingMessage[]> = once(outgoing, 'response');
  // What breaks once the reply has begun shows in the reply.
  outgoing.on('error', () => {});
  outgoing.end(body);
  const [reply] = await replied;
  if (reply === undefined) throw new Error('no reply');
  reply.on('data', take);
  await once(reply, 'end');
  return { status: reply.statusCode ?? 0, headers: reply.headers };
}
