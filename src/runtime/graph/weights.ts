import { Blip2Error } from '../../errors.js';
import type { StoredTensor } from '../../loader/checkpoint/checkpoint.js';
import type { ModelConfig } from '../../model/blip2-config.js';
import { blip2Tensors } from '../../model/blip2-tensors.js';
import type { TensorInfo } from '../../tensor/tensor-info.js';

/** The tensors of a checkpoint as a graph asks for them: every shape is checked against the configuration. */
export class Weights {
  readonly #tensors: ReadonlyMap<string, StoredTensor>;
  readonly #expected: ReadonlyMap<string, TensorInfo>;

  constructor(config: ModelConfig, tensors: ReadonlyMap<string, StoredTensor>) {
    this.#tensors = tensors;
    this.#expected = blip2Tensors(config, { dtype: 'F32', ownHead: true });
  }

  /** Whether the file holds the tensor. */
  has(name: string): boolean {
    return this.#tensors.has(name);
  }

  /** Whether config.json implies the tensor: biases and norms' scales are optional. */
  expects(name: string): boolean {
    return this.#expected.has(name);
  }

  /** @throws Blip2Error `TENSOR_MISSING`, or `TENSOR_SHAPE` when config.json implies another shape. */
  get(name: string): StoredTensor {
    const tensor = this.#tensors.get(name);
    if (tensor === undefined) {
      throw new Blip2Error('TENSOR_MISSING', `the checkpoint has no tensor ${name}, which its config.json implies`, {
        hint: 'Check that config.json belongs to these weights and that the download is complete.',
        details: { tensor: name },
      });
    }
    const expected = this.#expected.get(name);
    if (expected !== undefined && !sameShape(expected.shape, tensor.shape)) {
      throw new Blip2Error(
        'TENSOR_SHAPE',
        `tensor ${name} has shape [${tensor.shape.join(', ')}], but config.json implies [${expected.shape.join(', ')}]`,
        {
          hint: 'Check that config.json belongs to these weights.',
          details: { tensor: name, shape: tensor.shape, expected: expected.shape },
        },
      );
    }
    return tensor;
  }
}

function sameShape(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((size, axis) => size === b[axis]);
}
