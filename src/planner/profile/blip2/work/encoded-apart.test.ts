/** Pictures that are encoded some at a time, against all of a batch together. */
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseBlip2Config } from '../../../../model/blip2-config.js';
import { blip2Tensors } from '../../../../model/blip2-tensors.js';
import { PRESETS } from '../../../../model/presets.js';
import { chargesOf } from '../../../price/memory.js';
import { blip2Profiler } from '../blip2-profile.js';
import type { ModelProfile } from '../../model-profile.js';
import type { Engine } from '../../../map/engine.js';
import { parseWorkload, type Workload } from '../../workload/workload.js';

const preset = PRESETS.get('Salesforce/blip2-opt-2.7b');
if (preset === undefined) throw new Error('no opt-2.7b');
const config = parseBlip2Config(preset.config);
const tensors = blip2Tensors(config, { dtype: 'F16', ownHead: false });

const profileOf = (workload: Partial<Workload>, engine: Engine = 'blip2-run') =>
  blip2Profiler(tensors, config, { dtype: 'float16', engine })(parseWorkload(workload));

const layerOf = ({ blocks }: ModelProfile) => {
  const layer = blocks.find(({ name }) => name === 'vision_model.encoder.layers.7');
  if (layer === undefined) throw new Error('no layer');
  return layer;
};

const streamed = { execution: 'streamed', gpu: 0, store: 'cpu', level: 0, scheme: null } as const;
const resident = { execution: 'resident', gpu: 0, scheme: null } as const;
const activationsOn = (workload: Partial<Workload>, place: typeof streamed | typeof resident) =>
  chargesOf(layerOf(profileOf(workload)), place, 'blip2-run').find(({ device }) => device === 0)?.activationBytes;

/** What the engine holds of a picture of 224 x 224: pixels, patches twice, the vision output, queries twice, and its rows. */
const HELD_BYTES = 4 * 3 * 224 * 224 + 2 * 2 * 257 * 1408 + 2 * 257 * 1408 + 2 * 4 * 32 * 768 + 2 * 32 * 2560;

const work = ({ blocks }: ModelProfile) => {
  const sum = (of: (run: (typeof blocks)[number]['runs'][number]) => number) =>
    blocks.reduce((total, { runs }) => total + runs.reduce((own, run) => own + run.runs * of(run), 0), 0);
  return { flops: sum(({ flops }) => flops), outputs: sum(({ outputElements }) => outputElements) };
};

describe('pictures encoded some at a time', () => {
  it('take the activations of these, and of a sweep what waits', () => {
    const one = activationsOn({}, resident) ?? Number.NaN;
    expect(activationsOn({ batch: 32 }, resident)).toBe(32 * one);
    expect(activationsOn({ batch: 32, encoded: 8 }, resident)).toBe(8 * one);
    expect(activationsOn({ batch: 32 }, streamed)).toBe(32 * one);
    expect(activationsOn({ batch: 32, encoded: 8 }, streamed)).toBe(8 * one + 24 * HELD_BYTES);
    // 64 pictures at most wait for streamed weights together.
    expect(activationsOn({ batch: 256, encoded: 16 }, streamed)).toBe(16 * one + 48 * HELD_BYTES);
    expect(activationsOn({ batch: 256, encoded: 100 }, streamed)).toBe(100 * one);
  });

  it.each([
    [{ batch: 1 }, 1, 1],
    [{ batch: 200 }, 1, 1],
    [{ batch: 32, encoded: 8 }, 4, 1],
    [{ batch: 33, encoded: 8 }, 5, 1],
    // More pictures follow: a sweep is of as many as make it worth while.
    [{ batch: 12, encoded: 4 }, 3, 12 / 32],
    [{ batch: 65, encoded: 64 }, 2, 65 / 64],
    [{ batch: 256, encoded: 8 }, 32, 4],
    [{ batch: 256, encoded: 128 }, 2, 2],
  ])('of %j run %i times, and are streamed to %i times', (workload, runs, copies) => {
    expect(layerOf(profileOf(workload)).runs).toMatchObject([{ runs, copies }]);
  });

  it('are as much work, whatever is together', () => {
    const whole = work(profileOf({ batch: 48 }));
    for (const encoded of [1, 7, 16, 48, 100]) {
      const { flops, outputs } = work(profileOf({ batch: 48, encoded }));
      expect(flops / whole.flops).toBeCloseTo(1, 12);
      expect(outputs / whole.outputs).toBeCloseTo(1, 12);
    }
  });

  it('stream the Q-Former layer by layer, in room for a layer of the vision model', () => {
    const stagingOf = (workload: Partial<Workload>, wanted: string) => {
      const block = profileOf(workload).blocks.find(({ name }) => name === wanted);
      if (block === undefined) throw new Error(wanted);
      const charge = chargesOf(block, streamed, 'blip2-run').find(({ device }) => device === 0);
      return charge?.stagingBytes ?? Number.NaN;
    };
    const layer = 'qformer.encoder.layer.4';
    const vision = stagingOf({ batch: 8, encoded: 2 }, 'vision_model.encoder.layers.7');
    expect(stagingOf({ batch: 8, encoded: 2 }, layer)).toBeLessThan(vision);
    // In one piece with the rest of it, as for one picture.
    expect(stagingOf({ batch: 8 }, layer)).toBeGreaterThan(2 * vision);
    expect(stagingOf({ batch: 8 }, layer)).toBe(stagingOf({}, layer));
  });

  it('leave decoding as it is', () => {
    const decoding = ({ blocks }: ModelProfile) => blocks.filter(({ phase }) => phase !== 'image');
    expect(decoding(profileOf({ batch: 48, encoded: 4 }))).toEqual(decoding(profileOf({ batch: 48 })));
  });

  it('are all of them for transformers, and where there are no more', () => {
    const blocksOf = (workload: Partial<Workload>, engine?: Engine) => profileOf(workload, engine).blocks;
    expect(blocksOf({ batch: 8, encoded: 2 }, 'transformers')).toEqual(blocksOf({ batch: 8 }, 'transformers'));
    expect(profileOf({ batch: 8, encoded: 8 })).toEqual(profileOf({ batch: 8 }));
    expect(profileOf({ encoded: 8 })).toEqual(profileOf({}));
  });

  it('take no more memory and no fewer runs, the fewer they are, beside what waits of a sweep', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 300 }),
        fc.integer({ min: 1, max: 300 }),
        fc.nat(300),
        (batch, few, more) => {
          const [fewer, larger] = [few, few + more].map((encoded) => layerOf(profileOf({ batch, encoded })));
          if (fewer === undefined || larger === undefined) throw new Error('no layers');
          for (const place of [streamed, resident]) {
            const bytes = [fewer, larger].map((layer) =>
              chargesOf(layer, place, 'blip2-run').reduce((sum, { activationBytes }) => sum + activationBytes, 0),
            );
            const waits = place === streamed ? 32 * HELD_BYTES : 0;
            expect(bytes[0]).toBeLessThanOrEqual((bytes[1] ?? 0) + waits);
            expect(bytes.every(Number.isSafeInteger)).toBe(true);
          }
          expect(fewer.runs[0]?.runs).toBeGreaterThanOrEqual(larger.runs[0]?.runs ?? 0);
        },
      ),
      { numRuns: 60 },
    );
  });

  it('are a whole number of at least one', () => {
    for (const encoded of [0, -1, 1.5]) {
      expect(() => parseWorkload({ batch: 4, encoded })).toThrow(expect.objectContaining({ code: 'WORKLOAD_INVALID' }));
    }
  });
});
