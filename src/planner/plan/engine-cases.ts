/**
 * The placements an engine can execute, as separate cases for the solver.
 *
 * `blip2-run` takes any mixture (beyond two GPUs, one of them does the streaming). transformers streams everything that is
 * not on a GPU to one "main" GPU, the lowest number in the map, so each GPU is tried in that role; a map without a GPU runs
 * on the CPU.
 */
import type { Device, DeviceMap } from '../map/device-map.js';
import { longestPrefix } from '../map/longest-prefix.js';
import type { MachineProfile } from '../price/device-profile.js';
import { deviceOfPlace, type Location, type Place } from '../price/place.js';
import type { ModelProfile, ProfileBlock } from '../profile/model-profile.js';
import type { QuantScheme } from '../../tensor/quantized.js';
import type { Placing } from './assemble.js';

export interface CaseInput {
  readonly profile: ModelProfile;
  readonly machine: MachineProfile;
  /** GPU number -> bytes left after reserves, ascending. */
  readonly gpuBytes: ReadonlyMap<number, number>;
  readonly ramBytes: number | null;
  readonly diskBytes: number;
  readonly pins: DeviceMap;
  /** Schemes that some block may take. */
  readonly schemes: readonly QuantScheme[];
  /** Whether a block may have a scheme, or none. */
  readonly allowsScheme: (block: ProfileBlock, scheme: QuantScheme | null) => boolean;
}

export function engineCases(input: CaseInput): Placing[] {
  const { profile, gpuBytes, diskBytes } = input;
  const ids = [...gpuBytes.keys()];
  const stores = diskBytes > 0 ? (['cpu', 'disk'] as const) : (['cpu'] as const);
  const host = stores.map((store): Location => ({ execution: 'host', store }));
  const resident = (gpu: number): Location => ({ execution: 'resident', gpu });
  const streamedTo = (gpu: number) => stores.map((store): Location => ({ execution: 'streamed', gpu, store }));
  const build = (
    locations: readonly Location[],
    rule: (block: ProfileBlock, place: Location) => boolean = () => true,
  ): Placing => ({
    places: [null, ...input.schemes].flatMap((scheme) => locations.map((location): Place => ({ ...location, scheme }))),
    gpuBytes,
    ramBytes: input.ramBytes,
    diskBytes,
    allows: (block, place) =>
      input.allowsScheme(block, place.scheme) &&
      rule(block, place) &&
      pinAllows(input.pins, block, place) &&
      mayWait(block, place),
  });

  if (profile.engine === 'blip2-run') {
    return [build([...ids.map(resident), ...streamingGpus(input).flatMap(streamedTo), ...host])];
  }
  const anchor = anchorOf(profile);
  const streamedBeside = (main: number, gpus: readonly number[]): Placing =>
    build([...gpus.map(resident), ...streamedTo(main)], (block, place) =>
      isAnchor(block, anchor) ? place.execution === 'resident' && place.gpu === main : true,
    );
  const mains = ids.filter((id, i) => !ids.slice(0, i).some((earlier, k) => asGood(input, earlier, k, id, i)));
  return [
    // Everything on one GPU is cheaper than the same placement as one of many.
    ...mains.map((main) => build([resident(main)])),
    ...mains.map((main) =>
      streamedBeside(
        main,
        ids.filter((id) => id >= main),
      ),
    ),
    // Beside one GPU fewer modules are hooked.
    ...(ids.length > 1 ? mains.map((main) => streamedBeside(main, [main])) : []),
    build(host),
  ];
}

/**
 * GPUs that run streamed blocks. Of more than two, only the one that copies fastest (the largest of equals): weights
 * wait for the host's memory in any case, and every further choice multiplies the search.
 */
function streamingGpus({ gpuBytes, machine }: CaseInput): number[] {
  const ids = [...gpuBytes.keys()];
  if (ids.length <= 2) return ids;
  const rate = (index: number) =>
    (machine.gpus[index] ?? machine.gpus.at(-1))?.engines['blip2-run'].streamBytesPerSecond ?? 0;
  const best = ids
    .map((id, index) => ({ id, index }))
    .sort((a, b) => rate(b.index) - rate(a.index) || (gpuBytes.get(b.id) ?? 0) - (gpuBytes.get(a.id) ?? 0));
  return best.slice(0, 1).map(({ id }) => id);
}

/** An earlier GPU that is alike and has no less room makes a later one pointless as the main GPU. */
function asGood({ gpuBytes, machine }: CaseInput, earlier: number, k: number, later: number, i: number): boolean {
  const profileOf = (index: number) => machine.gpus[index] ?? machine.gpus.at(-1);
  return (gpuBytes.get(earlier) ?? 0) >= (gpuBytes.get(later) ?? 0) && profileOf(k) === profileOf(i);
}

/**
 * What makes a GPU the main one: something must be mapped to it. transformers moves root parameters to the main GPU in
 * any case, so for BLIP-2 these are the query tokens; elsewhere the smallest block that has to be there, or of all.
 */
function anchorOf(profile: ModelProfile): ProfileBlock | undefined {
  const root = profile.blocks.find((block) => block.kind === 'query-tokens');
  if (root !== undefined) return root;
  const size = ({ weightBytes, bond }: ProfileBlock) =>
    bond === null
      ? weightBytes
      : profile.blocks.reduce((sum, each) => sum + (each.bond === bond ? each.weightBytes : 0), 0);
  const staying = profile.blocks.filter(({ stores }) => stores.length === 0);
  return (staying.length > 0 ? staying : profile.blocks).reduce<ProfileBlock | undefined>(
    (least, block) => (least === undefined || size(block) < size(least) ? block : least),
    undefined,
  );
}

function isAnchor(block: ProfileBlock, anchor: ProfileBlock | undefined): boolean {
  return anchor !== undefined && (block.name === anchor.name || (block.bond !== null && block.bond === anchor.bond));
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
