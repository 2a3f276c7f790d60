import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { openCheckpoint } from '../../loader/index.js';
import { parseBlip2Config } from '../../model/blip2-config.js';
import { quantizedInfos } from '../../tensor/quantized.js';
import { Weights } from './weights.js';

const DEMO = join(import.meta.dirname, '../../../models/demo');
const NAME = 'vision_model.encoder.layers.2.mlp.fc1.weight';

describe('weights that do not belong to their config.json', () => {
  it('a missing tensor is named', async () => {
    const checkpoint = await openCheckpoint(DEMO);
    const tensors = new Map(checkpoint.tensors);
    tensors.delete(NAME);
    const weights = new Weights(parseBlip2Config(checkpoint.config), tensors);
    expect(() => weights.get(NAME)).toThrow(
      expect.objectContaining({ code: 'TENSOR_NOT_FOUND', details: { tensor: NAME } }),
    );
  });

  it('a tensor of another shape is named, with both shapes', async () => {
    const checkpoint = await openCheckpoint(DEMO);
    const stored = checkpoint.tensors.get(NAME);
    if (stored === undefined) throw new Error(`the demo has no ${NAME}`);
    const shape = stored.shape.toReversed();
    const tensors = new Map(checkpoint.tensors).set(NAME, { ...stored, shape });
    const weights = new Weights(parseBlip2Config(checkpoint.config), tensors);
    expect(() => weights.get(NAME)).toThrow(
      expect.objectContaining({ code: 'TENSOR_SHAPE', details: { tensor: NAME, shape, expected: stored.shape } }),
    );
  });
});

describe('quantised weights', () => {
  const LINEAR = 'language_model.model.decoder.layers.0.fc1.weight';

  async function quantized(columns = 0) {
    const checkpoint = await openCheckpoint(DEMO);
    const stored = checkpoint.tensors.get(LINEAR);
    if (stored === undefined) throw new Error(`the demo has no ${LINEAR}`);
    const [rows = 0, width = 0] = stored.shape;
    const { values, scales } = quantizedInfos([rows, width + columns], 'int8');
    const tensors = new Map(checkpoint.tensors);
    tensors.delete(LINEAR);
    tensors.set(`${LINEAR}.int8`, { ...stored, ...values }).set(`${LINEAR}.int8_scales`, { ...stored, ...scales });
    return { weights: new Weights(parseBlip2Config(checkpoint.config), tensors), shape: [rows, width] };
  }

  it('are found by name, with the shape of the weight', async () => {
    const { weights, shape } = await quantized();
    expect(weights.quantized(LINEAR)).toEqual({
      values: `${LINEAR}.int8`,
      scales: `${LINEAR}.int8_scales`,
      scheme: 'int8',
      blockSize: 32,
      shape,
    });
    expect(weights.quantized('language_model.model.decoder.layers.0.fc2.weight')).toBeNull();
  });

  it('of another width are refused', async () => {
    const { weights } = await quantized(64);
    expect(() => weights.quantized(LINEAR)).toThrow(expect.objectContaining({ code: 'TENSOR_SHAPE' }));
  });
});

describe('weights that are no floats of 16 or 32 bits', () => {
  it.each(['I8', 'I64', 'BOOL', 'U8', 'I32', 'F64', 'F8_E4M3'] as const)(
    'are refused by their dtype: %s',
    async (dtype) => {
      const checkpoint = await openCheckpoint(DEMO);
      const name = 'language_model.model.decoder.layers.0.fc2.weight';
      const stored = checkpoint.tensors.get(name);
      if (stored === undefined) throw new Error(`the demo has no ${name}`);
      const tensors = new Map([...checkpoint.tensors, [name, { ...stored, dtype }]]);
      const weights = new Weights(parseBlip2Config(checkpoint.config), tensors);
      const details = { tensor: name, dtype };
      expect(() => weights.get(name)).toThrow(expect.objectContaining({ code: 'TENSOR_DTYPE', details }));
    },
  );
});
