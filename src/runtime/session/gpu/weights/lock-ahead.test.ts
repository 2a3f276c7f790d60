import { join } from 'node:path';
import { afterEach, expect, it } from 'vitest';
import { openCheckpoint } from '../../../../loader/index.js';
import { parseBlip2Config } from '../../../../model/blip2-config.js';
import type { Device } from '../../../../planner/map/device-map.js';
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
