import { Blip2Error } from '../../errors.js';
import type { DeviceMap } from '../map/device-map.js';
import { longestPrefix } from '../map/longest-prefix.js';
import type { ModelProfile, ProfileBlock } from '../profile/model-profile.js';

/** @throws Blip2Error `PIN_UNKNOWN`, `PIN_IMPOSSIBLE` */
export function checkPins(pins: DeviceMap, profile: ModelProfile): void {
  for (const [key, device] of pins) {
    const blocks = profile.blocks.filter(
      (block) => key === '' || block.name === key || block.name.startsWith(`${key}.`),
    );
    if (device === 'disk') checkDiskPin(key, blocks, pins, profile);
    if (blocks.length > 0) continue;
    throw new Blip2Error('PIN_UNKNOWN', `No block of this model is in "${key}", so it cannot be pinned.`, {
      hint: 'Pin a module that holds whole blocks, such as vision_model, qformer or language_model.model.decoder.layers.0.',
      details: { key },
    });
  }
}

function checkDiskPin(key: string, blocks: readonly ProfileBlock[], pins: DeviceMap, profile: ModelProfile): void {
  const pinned = blocks.filter(({ name }) => longestPrefix(pins, name) === 'disk');
  const bonds = new Set(pinned.map(({ bond }) => bond).filter((bond) => bond !== null));
  const together = [...pinned, ...profile.blocks.filter(({ bond }) => bond !== null && bonds.has(bond))];
  const loaded = together.find(({ stores }) => !stores.includes('disk'));
  if (loaded === undefined) return;
  const why =
    loaded.kind === 'query-tokens'
      ? 'a parameter of the root module is loaded once and cannot be read from disk when it is needed'
      : `transformers keeps parts of it in float32, but reads from disk in ${profile.dtype}, so that it fails or answers otherwise`;
  throw new Blip2Error(
    'PIN_IMPOSSIBLE',
    `${loaded.name}${pinned.includes(loaded) ? '' : `, which goes with ${key},`} cannot be on disk: ${why}.`,
    {
      hint: `Pin it to cpu or a GPU${loaded.kind === 'query-tokens' ? '' : ', or plan with --dtype bfloat16'}.`,
      details: { key, block: loaded.name },
    },
  );
}
