/**
 * The placements an engine can execute, as separate cases for the solver.
 *
 * `blip2-run` takes any mixture (beyond two GPUs, one of them does the streaming), or the CPU alone. transformers streams everything that is
 * not on a GPU to one "main" GPU, the lowest number in the map, so each GPU is tried in that role; a map without a GPU runs
 * on the CPU.
 */
import { at, found } from '../../../checked-access.js';
import { gpusOf, type Device, type DeviceMap } from '../../map/device-map.js';
import { longestPrefix } from '../../map/longest-prefix.js';
import { gpuAt } from '../../price/device-profile.js';
import { deviceOfPlace, type Location, type Place } from '../../price/place.js';
import type { ModelProfile, ProfileBlock } from '../../profile/model-profile.js';
import type { QuantScheme } from '../../../tensor/quantized.js';
import { gpuShares, type PlanContext } from '../request/prepare-plan.js';
import { numbersOf } from './alike.js';
import type { Placing } from './assemble.js';

export function engineCases(context: PlanContext): Placing[] {
  const { profile, pins } = context;
  const { ramBytes, diskBytes } = context.budgets;
  const gpuBytes = new Map(gpuShares(context).map(({ id, roomBytes }) => [id, roomBytes]));
  const ids = [...gpuBytes.keys()];
  const stores = diskBytes > 0 ? (['cpu', 'disk'] as const) : (['cpu'] as const);
  const host = stores.map((store): Location => ({ execution: 'host', store }));
  const resident = (gpu: number): Location => ({ execution: 'resident', gpu });
  const streamedTo = (gpu: number, levels: readonly number[]) =>
    stores.flatMap((store) => levels.map((level): Location => ({ execution: 'streamed', gpu, store, level })));
  const build = (
    locations: readonly Location[],
    rule: (block: ProfileBlock, place: Location) => boolean = () => true,
  ): Placing => ({
    places: [null, ...context.schemes].flatMap((scheme) =>
      locations.map((location): Place => ({ ...location, scheme })),
    ),
    gpuBytes,
    ramBytes,
    diskBytes,
    allows: (block, place) =>
      allowsScheme(context, block, place.scheme) &&
      rule(block, place) &&
      pinAllows(pins, block, place) &&
      mayWait(block, place),
  });

  if (profile.engine === 'blip2-run') {
    const all = build([
      ...ids.map(resident),
      ...streamingGpus(context, gpuBytes).flatMap((gpu) => streamedTo(gpu, WHOLE)),
      ...host,
    ]);
    // The CPU alone has quantised weights packed, and is priced so.
    return ids.length > 0 && context.schemes.length > 0 ? [all, build(host)] : [all];
  }
  const streamedBeside = (main: number, gpus: readonly number[]): Placing[] => {
    const levels = gpus.length > 1 ? WHOLE : keptLevelsOf(profile);
    const locations = [...gpus.map(resident), ...streamedTo(main, levels)];
    const isOpen = (block: ProfileBlock, place: Location) =>
      place.execution === 'streamed'
        ? place.level === levels[0] || place.level < block.kept.length
        : place.execution !== 'resident' || place.gpu === main || block.onMainGpu !== true;
    const unanchored = rootOf(profile) === undefined ? { unanchored: { placing: build(locations, isOpen), main } } : {};
    return anchorsOf(context, main, found(gpuBytes, main)).map((anchor) => ({
      ...build(locations, (block, place) =>
        isWith(anchor, block) ? place.execution === 'resident' && place.gpu === main : isOpen(block, place),
      ),
      ...unanchored,
    }));
  };
  // An earlier GPU that is alike and has no less room makes a later one pointless as the main GPU.
  const isAsGood = (k: number, i: number) =>
    found(gpuBytes, at(ids, k)) >= found(gpuBytes, at(ids, i)) &&
    gpuAt(context.machine, k) === gpuAt(context.machine, i);
  const pinned = gpusOf(pins);
  const mains = ids.filter((id, i) => pinned.has(id) || !ids.slice(0, i).some((_earlier, k) => isAsGood(k, i)));
  return [
    // Everything on one GPU is cheaper than the same placement as one of many.
    ...mains.map((main) => build([resident(main)])),
    ...mains.flatMap((main) =>
      streamedBeside(
        main,
        ids.filter((id) => id >= main),
      ),
    ),
    // Beside one GPU fewer modules are hooked.
    ...(ids.length > 1 ? mains.flatMap((main) => streamedBeside(main, [main])) : []),
    build(host),
  ];
}

/**
 * GPUs that run streamed blocks. Of more than two, only the one that copies fastest (the largest of equals): weights
 * wait for the host's memory in any case, and every further choice multiplies the search.
 */
function streamingGpus({ machine }: PlanContext, gpuBytes: ReadonlyMap<number, number>): number[] {
  if (gpuBytes.size <= 2) return [...gpuBytes.keys()];
  const rate = (index: number) => gpuAt(machine, index).engines['blip2-run'].streamBytesPerSecond;
  const best = [...gpuBytes]
    .map(([id, bytes], index) => ({ id, bytes, rate: rate(index) }))
    .sort((a, b) => b.rate - a.rate || b.bytes - a.bytes);
  return best.slice(0, 1).map(({ id }) => id);
}

/**
 * Streamed whole: beside several GPUs a layer needs the hook of its own key, which brings what another GPU made of its input.
 */
const WHOLE: readonly number[] = [0];

/** Beside one, keeping something takes next to no room and saves copies. */
function keptLevelsOf({ blocks }: ModelProfile): readonly number[] {
  const most = Math.max(...blocks.map(({ kept }) => kept.length));
  return most === 1 ? WHOLE : Array.from({ length: most - 1 }, (_, i) => i + 1);
}

/** Of a GPU's room, what is too little for it to matter that an anchor takes it. */
const LITTLE = 0.001;

/**
 * What makes a GPU the main one: something must be mapped to it. transformers moves root parameters to the main GPU in
 * any case, so for BLIP-2 these are the query tokens; elsewhere the smallest block that has to be there, or of all. Where
 * that takes room which another could use, one block of each kind is tried.
 */
function anchorsOf({ profile, pins }: PlanContext, main: number, roomBytes: number): readonly ProfileBlock[] {
  const root = rootOf(profile);
  if (root !== undefined) return [root];
  const pinned = profile.blocks.filter((block) => (longestPrefix(pins, block.name) ?? main) !== main);
  const blocks = profile.blocks.filter((block) => !pinned.some((other) => isWith(other, block)));
  const bound = new Map<string, number>();
  for (const { bond, weightBytes } of profile.blocks)
    if (bond !== null) bound.set(bond, (bound.get(bond) ?? 0) + weightBytes);
  const sizeOf = ({ bond, weightBytes }: ProfileBlock) => (bond === null ? weightBytes : found(bound, bond));
  const smallestOf = (some: readonly ProfileBlock[]) => {
    const sized = some.map((block) => ({ block, bytes: sizeOf(block) }));
    return sized.toSorted((a, b) => a.bytes - b.bytes).slice(0, 1);
  };
  const staying = blocks.filter(({ name, stores }) => stores.length === 0 || longestPrefix(pins, name) === main);
  if (staying.length > 0) return smallestOf(staying).map(({ block }) => block);
  const smallest = smallestOf(blocks);
  if (smallest.every(({ bytes }) => bytes <= LITTLE * roomBytes)) return smallest.map(({ block }) => block);
  const kinds = new Map(blocks.map((block) => [block.bond ?? numbersOf(block), block]));
  return [...kinds.values()].toSorted((a, b) => sizeOf(a) - sizeOf(b));
}

/** Parameters of the root module, which transformers moves to the main GPU. */
function rootOf({ blocks }: ModelProfile): ProfileBlock | undefined {
  return blocks.find(({ kind }) => kind === 'query-tokens');
}

/** Whether two blocks are one, or bound to the same place. */
function isWith(one: ProfileBlock, other: ProfileBlock): boolean {
  return one.name === other.name || (one.bond !== null && one.bond === other.bond);
}

/** A map without a GPU has everything where it runs, but for what is read from disk. */
function mayWait(block: ProfileBlock, place: Place): boolean {
  if (place.execution === 'resident' || (place.execution === 'host' && place.store === 'cpu')) return true;
  return block.stores.includes(place.store);
}

function pinAllows(pins: DeviceMap, block: ProfileBlock, place: Place): boolean {
  if (pins.size === 0) return true;
  const pin: Device | undefined = longestPrefix(pins, block.name);
  return pin === undefined || deviceOfPlace(place) === pin;
}

/** Whether a block may have a scheme, or none. */
function allowsScheme({ settled }: PlanContext, block: ProfileBlock, scheme: QuantScheme | null): boolean {
  const known = settled.get(block.name);
  if (known !== undefined) return scheme === known;
  return scheme === null || (block.forms.has(scheme) && block.staysFloat !== true);
}
