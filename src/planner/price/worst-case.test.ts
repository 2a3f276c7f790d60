import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseBlip2Config } from '../../model/blip2-config.js';
import { blip2Tensors } from '../../model/blip2-tensors.js';
import { PRESETS } from '../../model/presets.js';
import { elementCount } from '../../tensor/tensor-info.js';
import type { PlanOptions } from '../plan/request/plan-options.js';
import type { PlanDocument } from '../plan/document/plan-document.js';
import { planDeviceMap } from '../plan/plan-device-map.js';
import type { MachineProfile } from './device-profile.js';
import { KNOWN_GPUS, onLink, UNKNOWN_GPU, UNKNOWN_HOST } from './known-devices.js';
import type { Place } from './place.js';
import { priceList } from './price-list.js';
import { atItsWorst } from './worst-case.js';

const GIB = 2 ** 30;
const preset = PRESETS.get('Salesforce/blip2-opt-2.7b');
if (preset === undefined) throw new Error('preset');
const { config, ownHead } = preset;
const tensors = blip2Tensors(parseBlip2Config(config), { dtype: 'F16', ownHead });

function card(name: string) {
  const gpu = KNOWN_GPUS.get(name);
  if (gpu === undefined) throw new Error(name);
  return gpu;
}

function planned(gpuBytes: readonly number[], machine: MachineProfile, options: Partial<PlanOptions> = {}) {
  const budgets = { gpus: new Map(gpuBytes.map((bytes, id) => [id, bytes])), ramBytes: null, diskBytes: 0 };
  const result = planDeviceMap(tensors, { config, budgets, machine, countContext: true, ...options });
  if (result.status === 'infeasible') throw new Error('does not fit');
  return result;
}

const hostBlocks = (plan: PlanDocument) => plan.placements.filter(({ execution }) => execution === 'host');

/** Milliseconds at worst of a placement by the factors of a machine, from what the document says of each block and crossing. */
function worstMs({ placements, crossings }: PlanDocument, { gpus, host }: MachineProfile): number {
  const factorOf = (device: number | 'cpu') => (device === 'cpu' ? host : gpus[device])?.errorFactor ?? NaN;
  const blocks = placements.reduce((sum, { latencyMs, runsOn }) => sum + latencyMs * factorOf(runsOn), 0);
  return crossings.reduce((sum, { latencyMs, fromDevice, toDevice }) => {
    const ends = [fromDevice, toDevice].filter((end) => end !== 'cpu');
    return sum + latencyMs * Math.max(...ends.map(factorOf));
  }, blocks);
}

describe('a machine at its worst', () => {
  it('is the machine itself where all is known equally well', () => {
    const machine = { gpus: [{ ...UNKNOWN_GPU, errorFactor: 3 }], host: { ...UNKNOWN_HOST, errorFactor: 3 } };
    expect(atItsWorst(machine, [0])).toBe(machine);
    // What no budget offers is not weighed.
    expect(atItsWorst({ ...machine, gpus: [UNKNOWN_GPU] }, [])).toMatchObject({ host: machine.host });
  });

  it.each(['blip2-run', 'transformers'] as const)('takes longer by its factor, whatever runs where (%s)', (engine) => {
    const machine = { gpus: [{ ...card('RTX 3060'), errorFactor: 2 }], host: { ...UNKNOWN_HOST, errorFactor: 6 } };
    const { profile } = planned([64 * GIB], machine, { engine });
    const places: Place[] = [
      { execution: 'resident', gpu: 0, scheme: null },
      { execution: 'streamed', gpu: 0, store: 'cpu', level: 0, scheme: null },
      { execution: 'streamed', gpu: 0, store: 'disk', level: 0, scheme: null },
      { execution: 'host', store: 'cpu', scheme: null },
      { execution: 'host', store: 'disk', scheme: null },
    ];
    const [nominal, worst] = [machine, atItsWorst(machine, [0])].map((each) =>
      priceList(profile, each, [0]).amongst(places),
    );
    for (const block of profile.blocks) {
      for (const place of places) {
        // Reading from the disk is the host's part of a GPU's block.
        if (place.execution === 'streamed' && place.store === 'disk') continue;
        const times = place.execution === 'host' ? 3 : 1;
        expect(worst?.blockMs(block, place)).toBeCloseTo(times * (nominal?.blockMs(block, place) ?? NaN), 6);
      }
    }
  });

  it('chooses the plan whose worst case is best, and says what both ends are', () => {
    const factor = fc.double({ min: 1, max: 6, noNaN: true });
    fc.assert(
      fc.property(factor, factor, fc.integer({ min: 8, max: 28 }), (gpuFactor, hostFactor, quarters) => {
        const certain = {
          gpus: [{ ...card('RTX 3060'), errorFactor: 1 }],
          host: { ...UNKNOWN_HOST, memoryBytesPerSecond: 60e9, flopsPerSecond: 2e12, errorFactor: 1 },
        };
        const machine = {
          gpus: certain.gpus.map((gpu) => ({ ...gpu, errorFactor: gpuFactor })),
          host: { ...certain.host, errorFactor: hostFactor },
        };
        const budget = [(quarters / 4) * GIB];
        const [fastest, robust] = [planned(budget, certain).plan, planned(budget, machine).plan];
        expect(robust.cost.rangeMs?.most).toBeCloseTo(worstMs(robust, machine), 0);
        expect(robust.cost.rangeMs?.most).toBeLessThanOrEqual(worstMs(fastest, machine) * (1 + 1e-4));
        expect(robust.cost.latencyMs).toBeGreaterThanOrEqual(fastest.cost.latencyMs * (1 - 1e-6));
        expect(robust.cost.rangeMs?.least).toBeLessThanOrEqual(robust.cost.latencyMs);
      }),
      { numRuns: 8 },
    );
  });

  it('gives blocks to a host that was measured, and not to one that is only guessed to be as fast', () => {
    const gpus = [onLink(card('RTX 3060'), { generation: 3, lanes: 8 })];
    const host = { ...UNKNOWN_HOST, memoryBytesPerSecond: 60e9, flopsPerSecond: 2e12 };
    const measured = planned([3 * GIB], { gpus, host: { ...host, errorFactor: 1.2 } }).plan;
    const guessed = planned([3 * GIB], { gpus, host }).plan;
    expect(hostBlocks(measured).length).toBeGreaterThan(hostBlocks(guessed).length + 10);
  });
});

describe('a host beside a card, measured in a moment', () => {
  // As one H200 and its host were; a plan with 13 layers of the language model on the host took 1,104 ms in 4 GiB, one by a full calibration 878.
  const gpu = { ...card('H200'), errorFactor: 1.25 };
  const host = { ...UNKNOWN_HOST, memoryBytesPerSecond: 109.3e9, flopsPerSecond: 942e9, leafMs: 0.0012 };
  const language = (errorFactor: number, gib: number) =>
    hostBlocks(planned([gib * GIB], { gpus: [gpu], host: { ...host, errorFactor } }).plan).filter(({ block }) =>
      block.startsWith('language_model'),
    );

  it.each([3, 4, 5])('has no layers of the language model where they would gain less than its error: %d GiB', (gib) => {
    expect(language(1.5, gib)).toEqual([]);
    expect(language(1.25, gib)).not.toEqual([]);
  });
});

describe('estimates', () => {
  it.each([
    [4, 937],
    [2, 1868],
  ])('hold what an H100 took in %d GiB: %d ms', (gib, measuredMs) => {
    const { cost, placements } = planned([gib * GIB], { gpus: [card('H100')], host: UNKNOWN_HOST }).plan;
    expect(Math.abs(cost.latencyMs / measuredMs - 1)).toBeLessThan(0.12);
    expect(cost.rangeMs?.least).toBeLessThan(measuredMs);
    expect(cost.rangeMs?.most).toBeGreaterThan(measuredMs);
    expect(placements.filter(({ execution }) => execution === 'streamed').length).toBeGreaterThan(30);
  });

  it.each([
    [4, 937, 878],
    [2, 1868, 1700],
  ])('of the data sheet alone hold what an H100 and an H200 took in %d GiB: %d and %d ms', (gib, h100, h200) => {
    const ofSheet = { ...card('A100'), errorFactor: 1.5 };
    // The rules of an A100 on the link of the others.
    const { cost } = planned([gib * GIB], {
      gpus: [onLink(ofSheet, { generation: 5, lanes: 16 })],
      host: UNKNOWN_HOST,
    }).plan;
    for (const measuredMs of [h100, h200]) {
      expect(cost.rangeMs?.least).toBeLessThan(measuredMs);
      expect(cost.rangeMs?.most).toBeGreaterThan(measuredMs);
    }
  });

  it('go by generation and lanes of the link', () => {
    const stream = (generation: number, lanes: number) =>
      onLink(card('RTX 4090'), { generation, lanes }).engines['blip2-run'].streamBytesPerSecond;
    expect(stream(4, 16)).toBe(card('RTX 4090').engines['blip2-run'].streamBytesPerSecond);
    expect([stream(3, 16), stream(4, 8), stream(3, 8)].map((rate) => rate / stream(4, 16))).toEqual([0.5, 0.5, 0.25]);
    expect(onLink(card('H200'), { generation: 5, lanes: 16 })).toBe(card('H200'));
    // A measured card on another link is an estimate again.
    expect(onLink(card('H200'), { generation: 4, lanes: 16 }).errorFactor).toBe(card('T4').errorFactor);
    expect(onLink(UNKNOWN_GPU, { generation: 3, lanes: 1 })).toBe(UNKNOWN_GPU);
  });

  it('say how far off they may be', () => {
    for (const [name, { errorFactor, source }] of KNOWN_GPUS) {
      expect(errorFactor > 1.25, name).toBe(source.startsWith('estimate'));
    }
    expect(UNKNOWN_GPU.errorFactor).toBeGreaterThan(card('T4').errorFactor);
  });
});

describe('the first caption', () => {
  it('is priced with the float32 copies that blocks on the host need', () => {
    const machine = {
      gpus: [onLink(card('RTX 3060'), { generation: 3, lanes: 8 })],
      host: { ...UNKNOWN_HOST, memoryBytesPerSecond: 60e9, flopsPerSecond: 2e12, errorFactor: 1.2 },
    };
    const { plan, profile } = planned([3 * GIB], machine);
    const onHost = new Set(hostBlocks(plan).map(({ block }) => block));
    const copied = profile.blocks
      .filter(({ name }) => onHost.has(name))
      .flatMap((block) => block.tensors)
      .reduce((sum, name) => {
        const info = tensors.get(name);
        return info?.dtype === 'F16' ? sum + 4 * elementCount(info.shape) : sum;
      }, 0);
    expect(copied).toBeGreaterThan(1e9);
    expect((plan.cost.firstCaptionMs ?? 0) - plan.cost.latencyMs).toBeCloseTo((1000 * copied) / 1.5e9, 0);
    expect(plan.assumptions.join('\n')).toMatch(/The first start takes about [\d.]+ s more/);
  });

  it('is as any other where the files hold float32, or nothing runs on the host', () => {
    const stored = blip2Tensors(parseBlip2Config(config), { dtype: 'F32', ownHead });
    const budgets = { gpus: new Map<number, number>(), ramBytes: null, diskBytes: 0 };
    const result = planDeviceMap(stored, { config, budgets });
    if (result.status === 'infeasible') throw new Error('does not fit');
    expect(result.plan.cost.firstCaptionMs).toBe(result.plan.cost.latencyMs);
    const { cost } = planned([64 * GIB], { gpus: [card('H200')], host: UNKNOWN_HOST }).plan;
    expect(cost.firstCaptionMs).toBe(cost.latencyMs);
  });
});
