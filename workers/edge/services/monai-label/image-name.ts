import type { Ports } from '../../ports.ts';
import { ownerOf, type Principal } from '../../principal.ts';
import { hmacHex } from '../../secrets.ts';

/** What is kept of the name that a client gives an image, which may be a patient's. */
export function hashName(ports: Ports, principal: Principal, name: string): Promise<string> {
  return hmacHex(ports.settings.keyPepper, `image\n${ownerOf(principal) ?? ''}\n${name}`);
}
