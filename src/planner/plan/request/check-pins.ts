import { errorText, option, type ErrorText } from '../../../error-text.js';
import { Blip2Error } from '../../../errors.js';
import { gpusOf, type DeviceMap } from '../../map/device-map.js';
import { longestPrefix } from '../../map/longest-prefix.js';
import { isWithin } from '../../map/module-paths.js';
import type { ModelProfile, ProfileBlock } from '../../profile/model-profile.js';
import { whyNotThere } from './why-not-there.js';

/** @throws Blip2Error `PIN_UNKNOWN`, `PIN_IMPOSSIBLE` */
export function checkPins(pins: DeviceMap, profile: ModelProfile): void {
  const usesGpu = gpusOf(pins).size > 0;
  for (const [key, device] of pins) {
    const blocks = profile.blocks.filter((block) => isWithin(block.name, key));
    // A map without a GPU may have anything in host memory.
    if (device === 'disk' || (device === 'cpu' && usesGpu)) checkStore(key, device, blocks, pins, profile);
    if (blocks.length > 0) continue;
    throw new Blip2Error('PIN_UNKNOWN', `No block of this model is in "${key}", so it cannot be pinned.`, {
      hint: 'Pin a module that holds whole blocks, such as vision_model, qformer or language_model.model.decoder.layers.0.',
      details: { key },
    });
  }
  checkMainGpu(pins, profile);
}

/** What runs with the model's own code is on the lowest GPU of a map. */
function checkMainGpu(pins: DeviceMap, { blocks }: ModelProfile): void {
  const lowest = Math.min(...gpusOf(pins));
  for (const { name, onMainGpu } of blocks) {
    const device = longestPrefix(pins, name);
    if (onMainGpu !== true || typeof device !== 'number' || device === lowest) continue;
    throw new Blip2Error(
      'PIN_IMPOSSIBLE',
      `${name} cannot be on GPU ${device} beside GPU ${lowest}: the model's own code runs on the lowest GPU of a map, and reads or adds up ` +
        'what this holds or makes.',
      { hint: `Pin it to ${lowest}, or nothing to GPU ${lowest}.`, details: { key: name, block: name } },
    );
  }
}

function checkStore(
  key: string,
  store: 'cpu' | 'disk',
  blocks: readonly ProfileBlock[],
  pins: DeviceMap,
  profile: ModelProfile,
): void {
  const pinned = blocks.filter(({ name }) => longestPrefix(pins, name) === store);
  const bonds = new Set(pinned.map(({ bond }) => bond).filter((bond) => bond !== null));
  const together = [...pinned, ...profile.blocks.filter(({ bond }) => bond !== null && bonds.has(bond))];
  const barred = together.find(({ stores }) => !stores.includes(store));
  if (barred === undefined) return;
  const goesWith = pinned.includes(barred) ? '' : `, which goes with ${key},`;
  const where = store === 'cpu' ? 'on the CPU beside a GPU' : 'on disk';
  throw new Blip2Error(
    'PIN_IMPOSSIBLE',
    `${barred.name}${goesWith} cannot be ${where}: ${whyNotThere(barred, profile)}.`,
    { hint: hintFor(barred, profile), details: { key, block: barred.name } },
  );
}

function hintFor({ kind, stores, lacks }: ProfileBlock, { quantization }: ModelProfile): ErrorText {
  if (stores.length === 0) return 'Pin it to a GPU.';
  const isFloat32 = kind !== 'query-tokens' && quantization === undefined && lacks === undefined;
  const asBfloat16 = isFloat32 ? errorText`, or plan with ${option('dtype')} bfloat16` : '';
  return errorText`Pin it to cpu or a GPU${asBfloat16}.`;
}
