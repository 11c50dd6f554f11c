/** A place for one segmentation. It is free again at `until` (milliseconds since 1970) if nobody ends it before. */
export interface Slot {
  readonly id: string;
  /** How many the tenant may have at once. */
  readonly most: number;
  readonly until: number;
}

/** Whether there is a place for the slot, and which of those that are held (id and `until`) have run out. */
export function placeFor(
  slot: Slot,
  held: ReadonlyMap<string, number>,
  now: number,
): { readonly free: boolean; readonly expired: string[] } {
  const expired = [...held].filter(([, until]) => until <= now).map(([id]) => id);
  const mine = held.has(slot.id) && !expired.includes(slot.id);
  return { free: mine || held.size - expired.length < slot.most, expired };
}
