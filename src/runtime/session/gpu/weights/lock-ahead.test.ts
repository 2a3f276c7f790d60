import { join } from 'node:path';
import { afterEach, expect, it, onTestFinished, vi } from 'vitest';
import { openCheckpoint, type StoredTensor } from '../../../../loader/index.js';
import { parseBlip2Config } from '../../../../model/blip2-config.js';
import type { Device } from '../../../../planner/map/device-map.js';
import { blip2Blocks } from '../../../../model/blocks.js';
import { DriverThread } from '../../../device/memory/driver-thread.js';
import { lockAhead } from './lock-ahead.js';

const checkpoint = await openCheckpoint(join(import.meta.dirname, '../../../../../models/demo'));
const config = parseBlip2Config(checkpoint.config);
const half = {
  tensors: new Map([...checkpoint.tensors].map(([name, tensor]) => [name, { ...tensor, dtype: 'F16' as const }])),
};
const whole = new Map<string, Device>([['', 0]]);

afterEach(() => DriverThread.end());

// The thread ends at once, as there is no card here: it locks nothing, and is asked all the same.
it.skipIf(process.platform === 'win32')('maps what a card copies where a thread was started for it', async () => {
  DriverThread.start(0);
  const files = await lockAhead(config, half, { deviceMap: whole });
  expect(files).not.toBeNull();
  const [stored] = checkpoint.tensors.values();
  if (stored !== undefined) expect(files?.bytesOf(stored)).toHaveLength(stored.end - stored.begin);
  await files?.drop();
});

// As `placeOnDevices` has it, by which files are pinned: a copy from pages of which some are locked fails.
it.skipIf(process.platform === 'win32').each([
  ['what the map puts on the card, whatever placements say', whole, true],
  [
    'nothing of blocks on the host',
    new Map<string, Device>([
      ['', 'cpu'],
      ['vision_model', 0],
    ]),
    false,
  ],
] as const)('locks %s', async (_, deviceMap, isLocked) => {
  DriverThread.start(0);
  const asked = vi.spyOn(DriverThread.prototype, 'lockPages');
  onTestFinished(() => asked.mockRestore());
  const hostBlocks = new Set(blip2Blocks(config).map(({ name }) => name));
  const files = await lockAhead(config, half, { deviceMap, hostBlocks });
  const inBlock = (block: string) => [...half.tensors].filter(([name]) => name.startsWith(`${block}.`));
  const isAsked = (tensor: StoredTensor) => {
    const address = files?.addressOf(tensor) ?? 0n;
    const end = address + BigInt(tensor.end - tensor.begin);
    return asked.mock.calls.some(([range]) => range.address <= address && end <= range.address + BigInt(range.bytes));
  };
  const everywhere = (block: string) => inBlock(block).every(([, tensor]) => isAsked(tensor));
  expect(everywhere('vision_model')).toBe(true);
  // The third shard, the first, holds the language model alone.
  expect(asked).toHaveBeenCalledTimes(isLocked ? 3 : 2);
  if (isLocked) expect(everywhere('qformer')).toBe(true);
  await files?.drop();
});

it.each([
  ['no thread', half, { deviceMap: whole }, false],
  ['another card', half, { deviceMap: new Map<string, Device>([['', 1]]) }, true],
  ['no card', half, { deviceMap: new Map<string, Device>([['', 'cpu']]) }, true],
  ['no map', half, {}, true],
  ['a map that covers nothing', half, { deviceMap: new Map<string, Device>([['qformer', 0]]) }, true],
  ['weights in float32', checkpoint, { deviceMap: whole }, true],
  [
    'quantised blocks',
    half,
    { deviceMap: whole, quant: new Map([['language_model.model.decoder.layers.0', 'int8' as const]]) },
    true,
  ],
] as const)('locks nothing ahead: %s', async (_, { tensors }, options, starts) => {
  if (starts) DriverThread.start(0);
  expect(await lockAhead(config, { tensors }, options)).toBeNull();
});
