import { describe, expect, it } from 'vitest';
import type { TensorInfo } from '../../../tensor/tensor-info.js';
import { planDeviceMap } from '../plan-device-map.js';

const tensors = new Map<string, TensorInfo>([['layers.0.weight', { dtype: 'F32', shape: [4, 4] }]]);
const budgets = { gpus: new Map([[0, 2 ** 30]]), ramBytes: null, diskBytes: 0 };
/** As from JavaScript. */
const plan = (options: object, of: unknown = tensors) => planDeviceMap(of as typeof tensors, { budgets, ...options });

describe('what a plan is asked, without types', () => {
  it.each<[object, string]>([
    [{ budgets: { gpus: { 0: 2 ** 30 } } }, 'budgets is {"gpus":{"0":1073741824}}; it has to be { gpus: a Map of'],
    [{ budgets: {} }, 'budgets is {}'],
    [{ dtype: 'fp16' }, 'dtype is "fp16"; it has to be one of float16, bfloat16, float32'],
    [{ dtypes: { a: 'float16' } }, 'dtypes is {"a":"float16"}; it has to be a Map of module path -> one of float16'],
    [{ dtypes: new Map([['a', 'half']]) }, 'dtypes is a Map of [["a","half"]]; it has to be'],
    [{ engine: 'vllm' }, 'engine is "vllm"; it has to be one of'],
    [{ provider: 'rocm' }, 'provider is "rocm"'],
    [{ objective: 'speed' }, 'objective is "speed"'],
    [{ names: 'mine' }, 'names is "mine"'],
    [{ pins: { a: 0 } }, 'pins is {"a":0}'],
    [{ pins: new Map([['layers', 0.5]]) }, 'pins is a Map of [["layers",0.5]]'],
    [{ allowQuant: 'int8' }, 'allowQuant is "int8"; it has to be an array of one of int8, int4'],
    [{ allowQuant: ['int2'] }, 'allowQuant is ["int2"]'],
    [{ reserveBytes: -1 }, 'reserveBytes is -1'],
    [{ reserveBytes: Number.NaN }, 'reserveBytes is NaN'],
    [{ timeLimitMs: Number.NaN }, 'timeLimitMs is NaN'],
    [{ pageLocked: 'yes' }, 'pageLocked is "yes"; it has to be true or false'],
    [{ pageLocked: true }, 'pageLocked is for transformers: blip2-run page-locks what it streams by itself'],
    [{ pageLocked: true, engine: 'blip2-run' }, 'pageLocked is for transformers'],
  ])('%j is refused', (options, message) => {
    expect(() => plan(options)).toThrow(
      expect.objectContaining({ code: 'OPTION_INVALID', message: expect.stringContaining(message) }),
    );
  });

  it.each<[unknown, string]>([
    [{ a: { dtype: 'F32', shape: [1] } }, 'tensors are {"a":'],
    [new Map([['a.w', { dtype: 'float32', shape: [1] }]]), 'tensor a.w is of dtype "float32"'],
    [new Map([['a.w', { dtype: 'F32', shape: [-4] }]]), 'tensor a.w has the shape [-4]'],
    [new Map([['a.w', { dtype: 'F32', shape: [1.5] }]]), 'tensor a.w has the shape [1.5]'],
  ])('tensors such as %j are refused', (of, message) => {
    expect(() => plan({}, of)).toThrow(
      expect.objectContaining({ code: 'OPTION_INVALID', message: expect.stringContaining(message) }),
    );
  });

  it('no tensors are nothing to place', () => {
    expect(() => plan({}, new Map())).toThrow(expect.objectContaining({ code: 'TENSOR_NOT_FOUND' }));
  });
});
