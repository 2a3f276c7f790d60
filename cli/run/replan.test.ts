import { describe, expect, it } from 'vitest';
import { Blip2Error } from '../../src/errors.js';
import { remainingBudgets } from './replan.js';

const budgets = {
  gpus: new Map([
    [0, 600],
    [1, 500],
  ]),
  ramBytes: null,
  diskBytes: 0,
};
const details = { device: 'GPU 0', neededBytes: 200, freeBytes: 100, totalBytes: 1000, heldBytes: 300 };
const outOfMemory = new Blip2Error('OUT_OF_MEMORY', 'no memory', { details });

describe('remainingBudgets', () => {
  it('is what the system says is free, and never more than was asked', () => {
    const free = (gpu: number) => (gpu === 0 ? 450 : 9000);
    expect(remainingBudgets(outOfMemory, budgets, free)).toEqual({
      ...budgets,
      gpus: new Map([
        [0, 450],
        [1, 500],
      ]),
    });
  });

  it('is what the error says where the system does not tell', () => {
    const left = remainingBudgets(outOfMemory, budgets, () => null);
    expect(left?.gpus).toEqual(
      new Map([
        [0, 400],
        [1, 500],
      ]),
    );
  });

  it('is nothing for other errors, or where nothing has shrunk', () => {
    expect(remainingBudgets(new Blip2Error('GPU_MISSING', 'no GPU'), budgets, () => 1)).toBeNull();
    expect(remainingBudgets(outOfMemory, budgets, () => 600)).toBeNull();
    const ofHost = new Blip2Error('OUT_OF_MEMORY', 'no memory', { details: { ...details, device: 'the host' } });
    expect(remainingBudgets(ofHost, budgets, () => 1)).toBeNull();
  });
});
