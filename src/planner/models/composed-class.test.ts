import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import * as z from 'zod';
import { isDtype } from '../../tensor/dtype.js';
import { deviceOf } from '../map/device-map.js';
import { pathsAbove } from '../map/module-paths.js';
import { planDeviceMap } from '../plan/plan-device-map.js';
import { preparePlan } from '../plan/request/prepare-plan.js';
import { sortedBy } from '../profile/generic/generic-groups.js';
import { composedClass } from './composed-class.js';
import { loadedModel } from './loaded-model.js';
import { loadModelTable } from './load-model-table.js';
import type { ModelClass } from './read-model-table.js';

/** What transformers 5.24 makes of models with these parts, recorded by test/fixtures/planner/record_composed.py. */
const recorded = z
  .object({
    models: z.array(
      z.object({
        parts: z.string(),
        class: z.string(),
        config: z.record(z.string(), z.unknown()),
        file: z.record(z.string(), z.tuple([z.string()]).rest(z.number())),
        parameters: z.array(z.string()),
        ties: z.record(z.string(), z.string()),
        whole: z.array(z.string()),
        encodedTokens: z.number(),
        newTokens: z.number(),
        encoderPeakBytes: z.number(),
        cacheBytes: z.number(),
      }),
    ),
  })
  .parse(JSON.parse(readFileSync(new URL('../../../test/fixtures/planner/composed.json', import.meta.url), 'utf8')));

const table = await loadModelTable();
const rows = recorded.models.map((row) => ({
  ...row,
  tensors: new Map(
    Object.entries(row.file).map(([name, [dtype, ...shape]]) => {
      if (!isDtype(dtype)) throw new Error(dtype);
      return [name, { dtype, shape }];
    }),
  ),
}));
type Row = (typeof rows)[number];

function loaded({ config, tensors }: Pick<Row, 'config' | 'tensors'>) {
  const model = loadedModel(table, config, tensors);
  if (model === null) throw new Error('its parts are in the table');
  return model;
}

const optionsOf = ({ config, encodedTokens, newTokens }: Row) =>
  ({
    config,
    models: table,
    engine: 'transformers',
    dtype: 'bfloat16',
    budgets: { gpus: new Map([[0, 2 ** 30]]), ramBytes: null, diskBytes: 2 ** 30 },
    workload: { promptTokens: encodedTokens, newTokens },
  }) as const;

describe('a model that is composed of two others', () => {
  it.each(rows)('$parts: has the names, the order and the ties that transformers gives it', (row) => {
    const { parameters, ties } = row;
    const { cls, tree, tensors, unknown, warnings, ...model } = loaded(row);
    expect(cls.name).toBe(row.class);
    const names = [...tensors.keys()].filter((name) => !tree.isBuffer(name));
    expect(sortedBy(names, (name) => tree.order(name))).toEqual(parameters.filter((name) => !(name in ties)));
    expect(Object.fromEntries(model.ties.map(([first, tied = '']) => [tied, first]))).toEqual(ties);
    expect([unknown, warnings]).toEqual([[], []]);
  });

  it.each(rows)('$parts: keeps the modules whole that transformers does not split', (row) => {
    const modules = [...pathsAbove(row.parameters)];
    expect(modules.filter(loaded(row).isWhole).sort()).toEqual([...row.whole].sort());
  });

  it.each(rows)('$parts: encodes once, and keeps between tokens what transformers keeps', (row) => {
    const { blocks } = preparePlan(row.tensors, optionsOf(row)).profile;
    const kept = blocks.reduce((sum, block) => sum + block.cacheElements * block.elementBytes, 0);
    expect(kept).toBe(row.cacheBytes);
    for (const { name, phase, runs } of blocks) {
      expect(phase === 'token').toBe(name.startsWith('decoder'));
      expect(runs.reduce((sum, run) => sum + run.runs, 0)).toBe(phase === 'token' ? row.newTokens : 1);
    }
  });

  it('does not project what is as wide as the decoder, and copies keys and values of it for the first token only', () => {
    for (const row of rows) {
      const wide = row.tensors.has('enc_to_dec_proj.weight');
      const { blocks } = preparePlan(row.tensors, optionsOf(row)).profile;
      expect(blocks.some(({ name }) => name === 'enc_to_dec_proj')).toBe(wide);
      const { assumptions } = preparePlan(row.tensors, optionsOf(row)).profile;
      expect(assumptions.join()).not.toContain('No file holds enc_to_dec_proj');
      const layers = blocks.filter(({ name }) => /^decoder\..*\.(layers?|h)\.\d+$/.test(name));
      for (const { runs } of layers)
        expect(runs.find(({ phase }) => phase === 'token')?.streamedBytes).toBeLessThan(
          runs.find(({ phase }) => phase === 'prompt')?.streamedBytes ?? 0,
        );
    }
  });

  it.each(rows.filter((row) => row.class.startsWith('Vision')))(
    '$parts: is planned for the tokens of its picture, with what the encoder takes beside weights',
    (row) => {
      const { workload: _, ...options } = optionsOf(row);
      const { workload, blocks } = preparePlan(row.tensors, options).profile;
      expect(workload.promptTokens).toBe(row.encodedTokens);
      const images = blocks.filter(({ phase }) => phase === 'image');
      const most = Math.max(...images.map((block) => block.activationElements * block.elementBytes));
      expect(most / row.encoderPeakBytes).toBeGreaterThan(15 / 16);
      expect(most / row.encoderPeakBytes).toBeLessThan(2);
    },
  );

  // What the table has of the default parts comes from transformers itself.
  it.each(['VisionEncoderDecoderModel', 'SpeechEncoderDecoderModel', 'EncoderDecoderModel'])(
    '%s of its default parts is what the table says of it',
    (name) => {
      const cls = table.classOf(name);
      if (cls === null) throw new Error(name);
      const known = (each: ModelClass | null) => {
        const { encoder, decoder } = Object.fromEntries(each?.root.children ?? []);
        const { unsaved, ignored, ties, prefix, head, use, isEager } = each ?? cls;
        return { encoder, decoder, unsaved, ignored, ties, prefix, head, use, isEager, decodes: each?.decoder };
      };
      const composed = composedClass(table, cls, {}, new Map());
      expect(composed).not.toBe(cls);
      expect(known(composed)).toEqual(known(cls));
    },
  );

  it('is none of parts that the table lacks', () => {
    const cls = table.classOf('SpeechEncoderDecoderModel');
    if (cls === null) throw new Error('in the table');
    const parts = { encoder: { model_type: 'wav2vec2' }, decoder: { model_type: 'speech_to_text_2' } };
    expect(composedClass(table, cls, parts, new Map())).toBeNull();
  });
});

describe('a pooler that is in no file', () => {
  const row = rows.find(({ parts }) => parts === 'deit and trocr');
  if (row === undefined) throw new Error('recorded');
  const without = { ...row, tensors: new Map([...row.tensors].filter(([name]) => !name.includes('pooler'))) };
  const POOLER = 'encoder.pooler.dense';

  // from_pretrained of TrOCR's files: "newly initialized: ['encoder.pooler.dense.bias', ...", and with a map that lacks it
  // "The device_map provided does not give any device for the following parameters: encoder.pooler.dense.weight, ...".
  it('has the shapes of the one that transformers makes up, a place in every map, and none on the disk', () => {
    const { tensors } = loaded(without);
    for (const part of ['weight', 'bias']) {
      expect(tensors.get(`${POOLER}.${part}`)).toEqual(row.tensors.get(`${POOLER}.${part}`));
    }
    const pinned = (device: 'cpu' | 'disk') =>
      planDeviceMap(without.tensors, { ...optionsOf(row), pins: new Map([[POOLER, device]]) });
    const result = pinned('cpu');
    if (result.status !== 'fits') throw new Error('there is room');
    expect(deviceOf(result.map, `${POOLER}.weight`)).toBe('cpu');
    expect(() => pinned('disk')).toThrow(expect.objectContaining({ code: 'PIN_IMPOSSIBLE' }));
  });
});
