import type { Ports } from '../../ports.ts';
import { imageKey } from '../monai-label/image-key.ts';
import { inTurns } from './in-turns.ts';

const AT_ONCE = 100;
const PAGES = 10;

/** Takes images away that were not used for their time. */
export async function expireImages(ports: Ports): Promise<void> {
  await inTurns(PAGES, AT_ONCE, async () => {
    const expired = await ports.catalogue.images.expire(ports.now(), AT_ONCE);
    await ports.objects.remove(expired.map(imageKey));
    return expired.length;
  });
}
