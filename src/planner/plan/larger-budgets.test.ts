/** A larger budget is never slower, and what an integer solver says about fitting is what trying every placement says. */
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { highsSolver } from '../../highs/index.js';
import { parseBlip2Config } from '../../model/blip2-config.js';
import { blip2Tensors } from '../../model/blip2-tensors.js';
import { DEFAULT_PRESET, PRESETS } from '../../model/presets.js';
import type { TensorInfo } from '../../tensor/tensor-info.js';
import { UNKNOWN_GPU, UNKNOWN_HOST } from '../price/known-devices.js';
import { costOf } from '../solve/problem.js';
import { INTEGER_TOLERANCE } from '../solve/program/integer-program.js';
import { casesOf } from './choice/cases.js';
import { choosePlaces } from './choice/choose-places.js';
import { fits } from './choice/infeasible.js';
import { preparePlan } from './request/prepare-plan.js';

const solver = await highsSolver();
const engines = fc.constantFrom('blip2-run' as const, 'transformers' as const);

describe('choosePlaces', () => {
  const preset = PRESETS.get(DEFAULT_PRESET);
  if (preset === undefined) throw new Error('preset');
  const tensors = blip2Tensors(parseBlip2Config(preset.config), { dtype: 'F32', ownHead: false });
  /** Seven GiB are all of the model; the smallest steps are less than a block. */
  const bytes = fc.integer({ min: 3e8, max: 7e9 });
  const more = fc.oneof(fc.nat(1e6), fc.nat(1e8), fc.nat(1e9));

  it.each([
    { cards: 1, numRuns: 25 },
    { cards: 2, numRuns: 4 },
  ])('never costs more with more bytes on $cards', ({ cards, numRuns }) => {
    const sizes = fc.array(fc.tuple(bytes, more), { minLength: cards, maxLength: cards });
    fc.assert(
      fc.property(sizes, engines, (budgets, engine) => {
        const answerFor = (gpus: readonly number[]) => {
          const memory = { gpus: new Map(gpus.map((own, id) => [id, own])), ramBytes: null, diskBytes: 0 };
          const context = preparePlan(tensors, { config: preset.config, engine, budgets: memory });
          const answer = choosePlaces(context, cards === 1 ? {} : { integerSolver: solver });
          if (answer.status === 'none') throw new Error('RAM has no limit');
          return answer;
        };
        const small = answerFor(budgets.map(([own]) => own));
        const large = answerFor(budgets.map(([own, added]) => own + added));
        const within = small.cost * (1 + 3 * INTEGER_TOLERANCE);
        expect(large.bound).toBeLessThanOrEqual(within);
        if (large.status === 'optimal') expect(large.cost).toBeLessThanOrEqual(within);
      }),
      { numRuns },
    );
  });
});

describe('fits', () => {
  // Budgets of kilobytes would all go to the workspaces of real cards.
  const rates = { ...UNKNOWN_GPU.engines.transformers, workspaceBytes: 0 };
  const machine = {
    gpus: [{ ...UNKNOWN_GPU, engines: { ...UNKNOWN_GPU.engines, transformers: rates } }],
    host: UNKNOWN_HOST,
  };
  const widths = fc.array(fc.constantFrom(200, 410, 930), { minLength: 2, maxLength: 5 });
  const tight = fc.array(fc.integer({ min: 60_000, max: 500_000 }), { minLength: 4, maxLength: 4 });

  it('says of three cards and a host what trying every placement says', () => {
    fc.assert(
      fc.property(widths, tight, engines, (blocks, sizes, engine) => {
        const tensors = new Map(
          blocks.map((width, i): [string, TensorInfo] => [
            `model.layers.${i}.fc.weight`,
            { dtype: 'F32', shape: [width, 64] },
          ]),
        );
        const gpus = new Map(sizes.slice(1).map((own, id) => [id, own]));
        const budgets = { gpus, ramBytes: sizes[0] ?? 0, diskBytes: 0 };
        const context = preparePlan(tensors, { budgets, engine, machine });
        const possible = casesOf(context).some(({ placing, problem }) => {
          const visit = (choice: readonly number[]): boolean =>
            choice.length === problem.items.length
              ? costOf(problem, choice) < Infinity
              : placing.places.some((_, p) => visit([...choice, p]));
          return visit([]);
        });
        expect(fits(context, solver)).toBe(possible);
      }),
      { numRuns: 60 },
    );
  });
});
