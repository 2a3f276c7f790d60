import { describe, expect, it } from 'vitest';
import type { TensorInfo } from '../../tensor/tensor-info.js';
import type { Device } from '../map/device-map.js';
import { explainMap } from '../plan/comparison/explain-map.js';
import { planDeviceMap } from '../plan/plan-device-map.js';
import { loadModelTable } from './load-model-table.js';

const models = await loadModelTable();
const HEAD = 'cls.predictions';

/** A BERT of one layer, with one or both of the names that the head's bias has. */
function planned(biases: readonly string[], isTied: boolean) {
  const tensors = new Map<string, TensorInfo>([
    ['bert.embeddings.word_embeddings.weight', { dtype: 'F32', shape: [60, 32] }],
    ['bert.encoder.layer.0.attention.self.query.weight', { dtype: 'F32', shape: [32, 32] }],
    [`${HEAD}.transform.dense.weight`, { dtype: 'F32', shape: [32, 32] }],
    ...(isTied ? [] : [[`${HEAD}.decoder.weight`, { dtype: 'F32', shape: [60, 32] }] as [string, TensorInfo]]),
    ...biases.map((name): [string, TensorInfo] => [`${HEAD}.${name}`, { dtype: 'F32', shape: [60] }]),
  ]);
  const options = {
    config: { architectures: ['BertForMaskedLM'], model_type: 'bert', tie_word_embeddings: isTied },
    models,
    engine: 'transformers',
    dtype: 'float32',
    budgets: { gpus: new Map([[0, 2 ** 30]]), ramBytes: null, diskBytes: 2 ** 30 },
  } as const;
  const map = new Map<string, Device>([
    ['bert.embeddings', isTied ? 'disk' : 0],
    ['bert.encoder', 0],
    [HEAD, 'disk'],
  ]);
  return {
    pin: () => planDeviceMap(tensors, { ...options, pins: new Map([[HEAD, 'disk']]) }),
    issues: explainMap(map, tensors, options).issues.map(({ code }) => code),
  };
}

describe('a tied tensor that no file holds', () => {
  // from_pretrained(offload_folder=...) of such files and a call: KeyError, for the name that is looked for.
  it.each([
    [['decoder.bias'], true],
    [['decoder.bias'], false],
    [['bias'], false],
  ])('is not looked for on the disk (%j, tied: %s)', (biases, isTied) => {
    const { pin, issues } = planned(biases, isTied);
    const lacking = biases.includes('bias') ? 'decoder.bias' : 'bias';
    expect(pin).toThrow(
      expect.objectContaining({
        code: 'PIN_IMPOSSIBLE',
        message: expect.stringContaining(`${HEAD}.${lacking} on the disk`) as unknown,
      }),
    );
    expect(issues).toEqual(['MAP_DTYPE_ON_DISK']);
  });

  // The same, which answers as without a map.
  it.each([
    [['bias'], true],
    [['bias', 'decoder.bias'], true],
    [['bias', 'decoder.bias'], false],
  ])('may be on the disk where a file holds what it follows (%j, tied: %s)', (biases, isTied) => {
    const { pin, issues } = planned(biases, isTied);
    expect(pin().status).toBe('fits');
    expect(issues).toEqual([]);
  });
});
