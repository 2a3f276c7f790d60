import { describe, expect, it } from 'vitest';
import { blip2Tensors } from '../model/blip2-tensors.js';
import { parseBlip2Config } from '../model/blip2-config.js';
import { DEFAULT_PRESET, PRESETS } from '../model/presets.js';
import { planDeviceMap } from '../planner/plan/plan-device-map.js';
import type { PlanOptions } from '../planner/plan/request/plan-options.js';
import { UNKNOWN_GPU, UNKNOWN_HOST } from '../planner/price/known-devices.js';
import type { PlanDocument } from '../planner/plan/document/plan-document.js';
import type { IntegerProgram } from '../planner/solve/program/integer-program.js';
import { highsSolver, type IntegerSolver } from './index.js';

const solver = await highsSolver();

describe('highsSolver', () => {
  const knapsack: IntegerProgram = {
    columns: [8, 11, 6, 4].map((worth) => ({ cost: -worth, upper: 1, whole: true })),
    rows: [{ columns: [0, 1, 2, 3], factors: [5, 7, 4, 3], low: -Infinity, high: 14 }],
  };

  it('solves a program of whole numbers', () => {
    const { values, bound } = solver(knapsack, { cutoff: Infinity, stop: () => false });
    expect(Array.from(values ?? [], Math.round)).toEqual([0, 1, 1, 1]);
    expect(bound).toBeCloseTo(-21, 5);
  });

  it('says that nothing is possible', () => {
    const impossible = { ...knapsack, rows: [{ columns: [0], factors: [1], low: 2, high: 3 }] };
    expect(solver(impossible, { cutoff: Infinity, stop: () => false })).toEqual({ values: null, bound: Infinity });
  });
});

describe('a plan for two cards', () => {
  const preset = PRESETS.get(DEFAULT_PRESET);
  if (preset === undefined) throw new Error('preset');
  const tensors = blip2Tensors(parseBlip2Config(preset.config), { dtype: 'F32', ownHead: false });
  const plan = (options: Partial<PlanOptions>, cards = [2e9, 5.6e9]): PlanDocument => {
    const gpus = new Map(cards.map((bytes, id) => [id, bytes]));
    const budgets = { gpus, ramBytes: null, diskBytes: 0 };
    // Known equally well, so that what the solver weighs is what the plan predicts.
    const machine = { gpus: [{ ...UNKNOWN_GPU, errorFactor: 1 }], host: { ...UNKNOWN_HOST, errorFactor: 1 } };
    const result = planDeviceMap(tensors, {
      config: preset.config,
      budgets,
      machine,
      solver: { effort: 3000 },
      ...options,
    });
    if (result.status === 'infeasible') throw new Error('does not fit');
    return result.plan;
  };

  it('is proven where the search alone leaves it open', () => {
    const open = plan({});
    const proven = plan({ integerSolver: solver });
    expect(open.solver.status).toBe('stopped');
    expect(proven.solver.status).toBe('optimal');
    expect(proven.cost.latencyMs).toBeLessThanOrEqual(open.cost.latencyMs);
    expect(proven.cost.latencyMs).toBeGreaterThanOrEqual(open.solver.boundMs);
  });

  it('for transformers is proven by the program without the order of blocks that take turns, whose order is the best', () => {
    let programs = 0;
    const integerSolver: IntegerSolver = (program, limits) => {
      programs += 1;
      return solver(program, limits);
    };
    const { solver: report } = plan({ engine: 'transformers', integerSolver }, [3_744_761_856, 3_744_761_856]);
    expect(report.status).toBe('optimal');
    expect(programs).toBe(1);
  });

  it('has the best answer so far when the time is up', () => {
    const { solver: report, cost } = plan({ integerSolver: solver, timeLimitMs: 400 });
    expect(report.boundMs).toBeLessThanOrEqual(cost.latencyMs + 1e-3);
  });
});
