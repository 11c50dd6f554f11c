import type { Ports } from '../../ports.ts';
import { hmacHex, randomHex } from '../../secrets.ts';

/** No key begins so, and no link otherwise: neither is taken for the other, whatever they are compared with. */
export const LINK_PREFIX = 'pdoraml_';
const LINK_BYTES = 32;
const ID_BYTES = 8;

/** A link's token that is being made: the one copy of itself, and what is kept of it. */
export async function issueToken(ports: Ports): Promise<{ id: string; token: string; hash: string }> {
  const token = LINK_PREFIX + randomHex(LINK_BYTES);
  return { id: randomHex(ID_BYTES), token, hash: await hmacHex(ports.settings.keyPepper, token) };
}
