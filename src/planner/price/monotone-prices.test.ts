/** More memory or one more GPU never costs time: published models at full size, both engines. */
import { describe, expect, it } from 'vitest';
import { parseBlip2Config } from '../../model/blip2-config.js';
import { blip2Tensors } from '../../model/blip2-tensors.js';
import { PRESETS } from '../../model/presets.js';
import { choosePlaces } from '../plan/choice/choose-places.js';
import { preparePlan } from '../plan/request/prepare-plan.js';
import type { Engine } from '../map/engine.js';
import { KNOWN_GPUS, UNKNOWN_HOST } from './known-devices.js';

const GIB = 2 ** 30;
const BUDGETS_GIB = [0.5, 1, 2, 2.5, 3, 4, 5, 6, 7, 8, 9, 10];
const SAME = 1 + 1e-9;

describe.each(['Salesforce/blip2-opt-2.7b', 'Salesforce/blip2-flan-t5-xl'])('%s', (name) => {
  const preset = PRESETS.get(name);
  if (preset === undefined) throw new Error(name);
  const tensors = blip2Tensors(parseBlip2Config(preset.config), { dtype: 'F16', ownHead: preset.ownHead });

  const costFor = (engine: Engine, card: string, ...gib: readonly number[]): number => {
    const gpu = KNOWN_GPUS.get(card);
    if (gpu === undefined) throw new Error(card);
    const budgets = { gpus: new Map(gib.map((size, id) => [id, size * GIB])), ramBytes: null, diskBytes: 0 };
    const machine = { gpus: [gpu], host: UNKNOWN_HOST };
    return choosePlaces(preparePlan(tensors, { config: preset.config, engine, machine, budgets })).cost;
  };

  describe.each(['blip2-run', 'transformers'] as const)('%s', (engine) => {
    it.each(['H200', 'RTX 3060'])('more memory of one %s', (card) => {
      const costs = [costFor(engine, card), ...BUDGETS_GIB.map((gib) => costFor(engine, card, gib))];
      for (const [i, cost] of costs.slice(1).entries()) expect(cost).toBeLessThanOrEqual((costs[i] ?? 0) * SAME);
    });

    it('a second card, and more of it', () => {
      const [one, two, more] = [[3], [3, 1], [3, 3]].map((gib) => costFor(engine, 'RTX 3060', ...gib));
      expect(two).toBeLessThanOrEqual((one ?? 0) * SAME);
      expect(more).toBeLessThanOrEqual((two ?? 0) * SAME);
    });
  });
});
