import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { openCheckpoint } from '../../loader/index.js';
import { parseBlip2Config } from '../../model/blip2-config.js';
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
      expect.objectContaining({ code: 'TENSOR_MISSING', details: { tensor: NAME } }),
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
