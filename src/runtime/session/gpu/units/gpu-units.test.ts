/** Units are the blocks in their order, whatever stays and whatever passes; of what stays, a recorded program makes few. */
import { array, assert, boolean, property } from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DEMO } from '../../../../../test/golden/golden.js';
import { openCheckpoint } from '../../../../loader/index.js';
import { parseBlip2Config } from '../../../../model/blip2-config.js';
import { GPU_LAYERS, gpuCacheWires, gpuTokenSteps } from '../../../graph/gpu/gpu-programs.js';
import { Weights } from '../../../graph/weights.js';
import { hostDevice } from '../device/host-device.js';
import { gpuUnits } from './gpu-units.js';

const checkpoint = await openCheckpoint(DEMO);
const config = parseBlip2Config(checkpoint.config);
const weights = new Weights(config, checkpoint.tensors);
const steps = gpuTokenSteps(config);
const outputs = ['logits', 'next_ids', ...steps.flatMap(({ block }) => gpuCacheWires('token', block))];
const residents = array(boolean(), { minLength: steps.length, maxLength: steps.length });

function unitsOf(stays: readonly boolean[], canRecord: boolean, isRecorded: boolean) {
  const device = { ...hostDevice({}), canRecord };
  const isResident = new Map(steps.map(({ block }, index) => [block.name, stays[index] ?? false]));
  const placeOf = (name: string) => ({ device, isResident: isResident.get(name) ?? false });
  const sources = { config, weights, folder: '/', picture: { rows: 1, columns: 1, positions: null } };
  const units = gpuUnits(steps, sources, placeOf, outputs, GPU_LAYERS, isRecorded);
  return units.map((unit) => ({ ...unit, stays: unit.blocks.map(({ name }) => isResident.get(name) ?? false) }));
}

describe('units of a program', () => {
  it('are its blocks in their order', () => {
    assert(
      property(residents, boolean(), boolean(), (stays, canRecord, isRecorded) => {
        const blocks = unitsOf(stays, canRecord, isRecorded).flatMap((unit) => unit.blocks);
        expect(blocks).toEqual(steps.map(({ block }) => block));
      }),
    );
  });

  it('are, where they are recorded, whole stretches of what stays between layers of which each passes alone', () => {
    assert(
      property(residents, (stays) => {
        const units = unitsOf(stays, true, true);
        for (const [index, unit] of units.entries()) {
          expect(new Set(unit.stays).size, 'either stays or passes').toBe(1);
          const passing = unit.blocks.filter(({ kind }, block) => unit.stays[block] === false && GPU_LAYERS.has(kind));
          if (passing.length > 0) expect(unit.blocks).toHaveLength(1);
          const before = units[index - 1];
          if (before !== undefined) expect([before.stays[0], unit.stays[0]], 'two stretches').not.toEqual([true, true]);
        }
      }),
    );
  });

  it('are layers where the device or the program records nothing', () => {
    const stays = steps.map((_, index) => index % 3 > 0);
    const layers = steps.filter(({ block }) => GPU_LAYERS.has(block.kind));
    for (const [canRecord, isRecorded] of [
      [true, false],
      [false, true],
    ] as const) {
      const units = unitsOf(stays, canRecord, isRecorded);
      const alone = units.filter(({ blocks: [first, ...others] }) => others.length === 0 && first !== undefined);
      expect(alone.filter(({ blocks: [first] }) => first !== undefined && GPU_LAYERS.has(first.kind))).toHaveLength(
        layers.length,
      );
    }
  });
});
