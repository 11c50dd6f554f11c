import { DEADLINE_DEFAULT_SECONDS, DEADLINE_MAX_SECONDS } from '../../../../schemas/limits.ts';
import type { Ports } from '../../ports.ts';
import { ownerOf, type Principal, viewerOf } from '../../principal.ts';
import type { ModelCard } from '../../store/adapter-store.ts';
import { labelNames } from './labels.ts';

/** What the caller may use, as MONAI Label tells it. */
export async function describeApp(ports: Ports, principal: Principal) {
  const [cards, total] = await Promise.all([
    ports.catalogue.adapters.modelCards(viewerOf(principal)),
    ports.catalogue.images.count(ownerOf(principal), ports.now()),
  ]);
  const models = Object.fromEntries(cards.map((card) => [`${card.tenant}/${card.name}`, describeModel(card)]));
  return {
    name: 'PDoRA Serve',
    description: 'One shared SwinUNETR, one small PDoRA adapter a task',
    version: '2.0',
    labels: [...new Set(cards.flatMap(({ card }) => Object.keys(labelNames(card))))],
    models,
    trainers: {},
    strategies: {},
    scoring: {},
    train_stats: {},
    datastore: { total, completed: 0 },
  };
}

/**
 * Clients show models of the type `segmentation`. They send one image, so that an adapter of several channels is not for
 * them.
 */
function describeModel({ tenant, name, version, card }: ModelCard) {
  const one = card.channels.length === 1;
  const what = card.description === '' ? `${tenant}/${name}` : card.description;
  return {
    type: one ? ('segmentation' as const) : ('others' as const),
    labels: labelNames(card),
    dimension: 3 as const,
    description: one
      ? `${what} (version ${version})`
      : `${what} (needs ${card.channels.length} images; not served here)`,
    // Clients send the first of a list back unless the user chooses another.
    config: { deadline: [DEADLINE_DEFAULT_SECONDS, 300, DEADLINE_MAX_SECONDS] },
  };
}
