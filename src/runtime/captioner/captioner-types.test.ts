/** Options that make no sense together do not compile. What is tested here is tested by the compiler. */
import { describe, expectTypeOf, it } from 'vitest';
import type { captionPresets } from '../engine/caption-presets.js';
import type { Captioner } from './captioner.js';
import type { DeviceMap } from '../../planner/map/device-map.js';
import type { Budgets } from '../../planner/plan/request/budgets.js';
import type { PlanDocument } from '../../planner/plan/document/plan-document.js';
import type { CaptionerOptions, CaptionOptions, Picture } from '../engine/captioner-options.js';
import type { Progress } from '../device/device-options.js';

type Pictures = Parameters<Captioner['caption']>[0];

describe('CaptionerOptions', () => {
  it('takes a plan, budgets, or neither', () => {
    expectTypeOf<object>().toExtend<CaptionerOptions>();
    expectTypeOf<{ plan: PlanDocument; provider: 'cuda' }>().toExtend<CaptionerOptions>();
    expectTypeOf<{ plan: DeviceMap; emulateGpu: true }>().toExtend<CaptionerOptions>();
    expectTypeOf<{ budgets: Budgets; signal: AbortSignal }>().toExtend<CaptionerOptions>();
    expectTypeOf<{
      budgets: Budgets;
      planning: { allowQuant: ['int8', 'int4']; workload: { batch: 8 } };
      onProgress: (progress: Progress) => void;
    }>().toExtend<CaptionerOptions>();
  });

  it('refuses what contradicts itself', () => {
    expectTypeOf<{ plan: PlanDocument; budgets: Budgets }>().not.toExtend<CaptionerOptions>();
    expectTypeOf<{ plan: DeviceMap; planning: { allowQuant: ['int8'] } }>().not.toExtend<CaptionerOptions>();
    expectTypeOf<{ planning: { allowQuant: ['int8'] } }>().not.toExtend<CaptionerOptions>();
    expectTypeOf<{ budgets: Budgets; planning: { allowQuant: ['int2'] } }>().not.toExtend<CaptionerOptions>();
    expectTypeOf<{ budgets: { gpus: number } }>().not.toExtend<CaptionerOptions>();
    expectTypeOf<{ provider: 'tpu' }>().not.toExtend<CaptionerOptions>();
  });
});

describe('CaptionOptions', () => {
  it('takes what belongs together', () => {
    expectTypeOf<{ question: 'why?'; maxNewTokens: 3 }>().toExtend<CaptionOptions>();
    expectTypeOf<{
      numBeams: 5;
      lengthPenalty: 2;
      earlyStopping: 'never';
      numReturnSequences: 3;
    }>().toExtend<CaptionOptions>();
    expectTypeOf<{ doSample: true; temperature: 0.7; topP: 0.9; seed: 1 }>().toExtend<CaptionOptions>();
    expectTypeOf<typeof captionPresets.fast>().toExtend<CaptionOptions>();
    expectTypeOf<typeof captionPresets.paper & { lengthPenalty: 2 }>().toExtend<CaptionOptions>();
  });

  it('refuses what contradicts itself', () => {
    expectTypeOf<{ question: 'why?'; prompt: 'a' }>().not.toExtend<CaptionOptions>();
    expectTypeOf<{ lengthPenalty: 2 }>().not.toExtend<CaptionOptions>();
    expectTypeOf<{ temperature: 0.7 }>().not.toExtend<CaptionOptions>();
    expectTypeOf<{ doSample: true; temperature: 0.7; numBeams: 5 }>().not.toExtend<CaptionOptions>();
    expectTypeOf<{ numReturnSequences: 2 }>().not.toExtend<CaptionOptions>();
    expectTypeOf<{ maxNewTokens: '20' }>().not.toExtend<CaptionOptions>();
    expectTypeOf<{ earlyStopping: 'sometimes'; numBeams: 2 }>().not.toExtend<CaptionOptions>();
  });
});

describe('pictures', () => {
  it('are one or many, now or later, with a question of their own or not', () => {
    expectTypeOf<string>().toExtend<Pictures>();
    expectTypeOf<URL>().toExtend<Pictures>();
    expectTypeOf<Buffer>().toExtend<Pictures>();
    expectTypeOf<{ data: Uint8Array; width: 2; height: 2 }>().toExtend<Pictures>();
    expectTypeOf<readonly (string | Uint8Array)[]>().toExtend<Pictures>();
    expectTypeOf<AsyncGenerator<Picture>>().toExtend<Pictures>();
    expectTypeOf<{ image: string; question: string }>().toExtend<Pictures>();
    expectTypeOf<{ image: string; question: string; prompt: string }>().not.toExtend<Pictures>();
    expectTypeOf<number>().not.toExtend<Pictures>();
    expectTypeOf<{ data: Uint8Array; width: 2 }>().not.toExtend<Pictures>();
  });
});
