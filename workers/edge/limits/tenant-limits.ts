import { DurableObject } from 'cloudflare:workers';
import { type Bucket, type Rate, type RateState, takeToken } from './bucket.ts';
import { placeFor, type Slot } from './slots.ts';

const BUCKET = 'bucket';
const SLOT_PREFIX = 'slot:';
const DELETED_AT_ONCE = 128;

// Losing the last writes in a crash costs a few requests of the count; waiting for them would cost every request.
const UNCONFIRMED = { allowUnconfirmed: true };

/**
 * What one tenant has used of its limits. Everything is in its storage and nothing in memory, so that an eviction
 * neither fills the bucket nor frees a slot. Its calls come one after another, which makes the count true for all
 * Workers at once; the clock is its own.
 */
export class TenantLimits extends DurableObject<Env> {
  async admit(rate: Rate, slot: Slot | null): Promise<{ rate: RateState; begun: boolean }> {
    const { storage } = this.ctx;
    const before = (await storage.get<Bucket>(BUCKET)) ?? null;
    const { bucket, state } = takeToken(before, Date.now(), rate);
    // What was refused changed nothing: a flood costs no writes.
    if (!state.allowed) return { rate: state, begun: false };
    await storage.put(BUCKET, bucket, UNCONFIRMED);
    return { rate: state, begun: slot !== null && (await this.begin(slot)) };
  }

  async begin(slot: Slot): Promise<boolean> {
    const { storage } = this.ctx;
    const stored = await storage.list<number>({ prefix: SLOT_PREFIX });
    const held = new Map([...stored].map(([key, until]) => [key.slice(SLOT_PREFIX.length), until]));
    const { free, expired } = placeFor(slot, held, Date.now());
    if (expired.length > 0) {
      await storage.delete(
        expired.slice(0, DELETED_AT_ONCE).map((id) => SLOT_PREFIX + id),
        UNCONFIRMED,
      );
    }
    if (free) await storage.put(SLOT_PREFIX + slot.id, slot.until, UNCONFIRMED);
    return free;
  }

  async end(id: string): Promise<void> {
    await this.ctx.storage.delete(SLOT_PREFIX + id, UNCONFIRMED);
  }

  async forget(): Promise<void> {
    await this.ctx.storage.deleteAll();
  }
}
