import { expect, it } from 'vitest';
import { Blip2Error } from '../../errors.js';
import { UNKNOWN_GPU } from '../../planner/price/known-devices.js';
import { hostDevice } from '../session/gpu/device/host-device.js';
import { measureCards } from './measure-cards.js';

/** Two cards that are made up, of which one may be too old; the names of those that were measured, and the numbers of those that were opened. */
async function measured({ loads = true, old = -1 } = {}) {
  const opened: number[] = [];
  const course = { source: 'measured', onPart: () => undefined, signal: new AbortController().signal };
  const profiles = measureCards(course, {
    load: () => loads,
    list: () => [{ name: 'one' }, { name: 'other' }],
    open: (gpu) => {
      opened.push(gpu);
      return { ...hostDevice({}), card: gpu };
    },
    works: (gpu) => gpu !== old,
    freeBytes: () => null,
    takeContext: () => () => undefined,
    measure: ({ card }, { name }) =>
      card === old
        ? Promise.reject(new Blip2Error('ORT_FAILED', 'no kernel for this card'))
        : Promise.resolve({ ...UNKNOWN_GPU, name }),
  });
  return { names: (await profiles).map(({ name }) => name), opened };
}

it('measures all cards', async () => {
  expect(await measured()).toEqual({ names: ['one', 'other'], opened: [0, 1] });
});

it('opens no card for a provider that does not load', async () => {
  expect(await measured({ loads: false })).toEqual({ names: [], opened: [] });
});

it('finds none where the first runs nothing, and says what fails on another', async () => {
  expect(await measured({ old: 0 })).toEqual({ names: [], opened: [0] });
  await expect(measured({ old: 1 })).rejects.toMatchObject({ code: 'ORT_FAILED' });
});
