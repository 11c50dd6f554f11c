import { expect, test } from 'vitest';
import { type Choose, chooser, oneOf } from './support/chooser.ts';
import { adapterFile, sha256 } from './support/files.ts';
import type { ModelKey, ModelRef } from './support/registry-model.ts';
import { RegistryPlay } from './support/registry-play.ts';
import { useWorld } from './support/world.ts';

const world = useWorld();
const MOVES = 400;
const TEST_MS = 120_000;

const TENANTS = ['acme', 'umbrella'];
const PLACES = TENANTS.flatMap((tenant) => [`${tenant}/tumour`, `${tenant}/vessel`]);
const FILES = Array.from({ length: 4 }, (_, n) => adapterFile(`number ${n}`));
const ALIASES = ['stable', 'canary'];
const MOST_OPEN = 3;
const MOST_WAITING = 6;

/** What the games must have shown together, or they showed nothing. */
const TO_SEE = [
  '200',
  '201',
  '202',
  '204',
  '400 invalid_request',
  '401 unauthorized',
  '403 forbidden',
  '404 not_found',
  '409 adapter_not_ready',
  '409 alias_conflict',
  '409 in_use',
  '409 conflict',
  'landed',
  'landed though deleted',
  'job done',
  'job refused',
];
const seen = new Map<string, number>();

test.each([1, 2, 3])(
  'whatever two tenants do, each is answered, sees and is served as it should be (%i)',
  async (seed) => {
    const choose = chooser(seed);
    const play = new RegistryPlay(world.runner);
    for (const tenant of TENANTS) {
      await play.newKey(tenant);
      await play.newKey(tenant, ['adapters:read', 'segment']);
    }
    for (let move = 0; move < MOVES; move++) await makeMove(play, choose);
    for (const verification of play.verifications.splice(0)) await play.verdict(verification, true);
    for (const flight of play.flights.splice(0)) await play.land(flight);
    await play.deliver();
    for (const tenant of TENANTS) await play.look(tenant, PLACES);
    for (const [what, times] of play.seen) seen.set(what, (seen.get(what) ?? 0) + times);
  },
  TEST_MS,
);

test('and in these games everything happened that can', () => {
  expect(TO_SEE.filter((what) => (seen.get(what) ?? 0) < 2)).toEqual([]);
});

async function makeMove(play: RegistryPlay, choose: Choose): Promise<void> {
  const { verifications, flights, jobs, keys } = play;
  if (verifications.length > MOST_OPEN || (verifications.length > 0 && choose(6) === 0)) {
    return await play.verdict(taken(choose, verifications), choose(4) > 0);
  }
  if (flights.length > MOST_OPEN || (flights.length > 0 && choose(14) === 0)) {
    return await play.land(taken(choose, flights));
  }
  if (jobs.length > MOST_WAITING || (jobs.length > 0 && choose(15) === 0)) return await play.deliver();
  const key = choose(10) === 0 ? oneOf(choose, keys) : await play.goodKey(oneOf(choose, TENANTS));
  const ref = refOf(play, choose);
  switch (choose(16)) {
    case 0:
    case 1:
    case 2: {
      const file = oneOf(choose, FILES);
      return await play.push(key, placeFor(key, choose), file, sha256(file));
    }
    case 3:
    case 4:
      return await moveAlias(play, key, choose);
    case 5:
      return await share(play, key, choose);
    case 6:
    case 14:
      return await remove(play, key, choose);
    case 7:
    case 8:
      return await play.segment(key, ref);
    case 9:
      return await play.takeOff(key, ref);
    case 10:
    case 11:
      return await play.submit(key, ref);
    case 12:
      return await play.read(key, ref, choose(2) === 0);
    case 13:
      return await play.look(key.tenant, PLACES);
    default:
      return await changeKeys(play, choose);
  }
}

async function moveAlias(play: RegistryPlay, key: ModelKey, choose: Choose): Promise<void> {
  const place = placeFor(key, choose);
  const alias = oneOf(choose, ALIASES);
  const path = `${pathOf(place)}/aliases/${alias}`;
  const at = play.model.aliases(place)[alias];
  const guess = choose(3) === 0 ? 1 + choose(3) : at;
  if (choose(3) === 0) {
    const expected = choose(2) === 0 ? undefined : guess;
    const query = expected === undefined ? '' : `?expected=${expected}`;
    const model = () => play.model.deleteAlias(key.tenant, place, alias, expected);
    return await play.change('DELETE', path + query, key, model);
  }
  const version = numberOf(play, place, choose);
  const expected = guess ?? null;
  const model = () => play.model.setAlias(key.tenant, place, alias, version, expected);
  return await play.change('PUT', path, key, model, { version, expected });
}

async function share(play: RegistryPlay, key: ModelKey, choose: Choose): Promise<void> {
  const place = placeFor(key, choose);
  const grantee = oneOf(choose, [...TENANTS, '*']);
  const path = `${pathOf(place)}/grants/${grantee}`;
  const { model } = play;
  if (choose(3) > 0) await play.change('PUT', path, key, () => model.grant(key.tenant, place, grantee));
  else await play.change('DELETE', path, key, () => model.withdraw(key.tenant, place, grantee));
}

async function remove(play: RegistryPlay, key: ModelKey, choose: Choose): Promise<void> {
  const place = placeFor(key, choose);
  const { model } = play;
  if (choose(3) === 0) {
    return await play.change('DELETE', pathOf(place), key, () => model.deleteAdapter(key.tenant, place));
  }
  const version = numberOf(play, place, choose);
  const path = `${pathOf(place)}/versions/${version}`;
  return await play.change('DELETE', path, key, () => model.deleteVersion(key.tenant, place, version));
}

async function changeKeys(play: RegistryPlay, choose: Choose): Promise<void> {
  const key = oneOf(choose, play.keys);
  if (choose(2) === 0) await play.revoke(key);
  else await play.rotate(key, choose(2) * 3600);
}

/** Mostly one's own, sometimes the other's. */
function placeFor(key: ModelKey, choose: Choose): string {
  const others = choose(8) === 0;
  return oneOf(
    choose,
    PLACES.filter((place) => place.startsWith(`${key.tenant}/`) !== others),
  );
}

/** The number of a version that is there, or of one that may not be. */
function numberOf(play: RegistryPlay, place: string, choose: Choose): number {
  const there = play.model.versions(place);
  return there.length > 0 && choose(6) > 0 ? oneOf(choose, there).version : 1 + choose(6);
}

function refOf(play: RegistryPlay, choose: Choose): ModelRef {
  if (choose(4) === 0) return { digest: sha256(oneOf(choose, FILES)) };
  const place = oneOf(choose, PLACES);
  const kind = choose(3);
  if (kind === 0) return { place, at: 'latest' };
  return { place, at: kind === 1 ? numberOf(play, place, choose) : { alias: oneOf(choose, ALIASES) } };
}

function pathOf(place: string): string {
  return `/v1/adapters/${encodeURIComponent(place)}`;
}

function taken<T>(choose: Choose, list: T[]): T {
  const item = oneOf(choose, list);
  list.splice(list.indexOf(item), 1);
  return item;
}
