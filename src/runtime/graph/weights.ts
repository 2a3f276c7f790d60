import { Blip2Error } from '../../errors.js';
import type { StoredTensor } from '../../loader/format/stored-tensor.js';
import type { ModelConfig } from '../../model/blip2-config.js';
import { blip2Tensors } from '../../model/blip2-tensors.js';
import {
  quantizedInfos,
  quantizedNames,
  storedBlockSize,
  storedScheme,
  type QuantScheme,
  type QuantizedNames,
} from '../../tensor/quantized.js';
import { isFloatDtype } from '../../loader/index.js';
import { isFloating } from '../../tensor/dtype.js';
import type { TensorInfo } from '../../tensor/tensor-info.js';

/** A linear weight `[out, in]` that the checkpoint holds in small integers: two tensors by name. */
export interface QuantizedWeight extends QuantizedNames {
  readonly scheme: QuantScheme;
  readonly blockSize: number;
  readonly shape: readonly [number, number];
}

/** The tensors of a checkpoint as a graph asks for them: every shape is checked against the configuration. */
export class Weights {
  readonly #tensors: ReadonlyMap<string, StoredTensor>;
  readonly #expected: ReadonlyMap<string, TensorInfo>;
  readonly #quantized: readonly string[];

  constructor(config: ModelConfig, tensors: ReadonlyMap<string, StoredTensor>) {
    this.#tensors = tensors;
    this.#expected = blip2Tensors(config, { dtype: 'F32', ownHead: true });
    this.#quantized = [...this.#expected.keys()].filter((name) => storedScheme(tensors, name) !== null);
  }

  /** Whether the file holds the tensor. */
  has(name: string): boolean {
    return this.#tensors.has(name);
  }

  /** Whether config.json implies the tensor: biases and norms' scales are optional. */
  expects(name: string): boolean {
    return this.#expected.has(name);
  }

  /**
   * @throws Blip2Error `TENSOR_NOT_FOUND`, `TENSOR_SHAPE` when config.json implies another shape, `TENSOR_DTYPE` when it
   *   implies floats and the tensor holds none of 16 or 32 bits
   */
  get(name: string): StoredTensor {
    const tensor = this.#tensors.get(name);
    if (tensor === undefined) {
      throw new Blip2Error('TENSOR_NOT_FOUND', `the checkpoint has no tensor ${name}, which its config.json implies`, {
        hint: 'Check that config.json belongs to these weights and that the download is complete.',
        details: { tensor: name },
      });
    }
    const expected = this.#expected.get(name);
    if (expected !== undefined && !sameShape(expected.shape, tensor.shape))
      throw wrongShape(name, tensor, expected.shape);
    if (expected !== undefined && !isFloatDtype(tensor.dtype)) throw otherDtype(name, tensor);
    return tensor;
  }

  /** Whether the checkpoint holds weights of a block in small integers. */
  quantizes(block: string): boolean {
    return this.#quantized.some((name) => name.startsWith(`${block}.`));
  }

  /**
   * The integers and scales of a linear weight; null where the checkpoint does not hold it so.
   * @throws Blip2Error `TENSOR_NOT_FOUND` without its scales, `TENSOR_SHAPE` when config.json implies another shape
   */
  quantized(name: string): QuantizedWeight | null {
    const scheme = storedScheme(this.#tensors, name);
    if (scheme === null) return null;
    const names = quantizedNames(name, scheme);
    const values = this.get(names.values);
    const blockSize = storedBlockSize(values, scheme);
    const [rows = 0, columns = 0] = this.#expected.get(name)?.shape ?? [];
    const implied = quantizedInfos([rows, columns], scheme, blockSize);
    for (const part of ['values', 'scales'] as const) {
      const tensor = this.get(names[part]);
      if (!sameShape(implied[part].shape, tensor.shape)) throw wrongShape(names[part], tensor, implied[part].shape);
    }
    return { ...names, scheme, blockSize, shape: [rows, columns] };
  }
}

function otherDtype(name: string, { dtype }: TensorInfo): Blip2Error {
  return new Blip2Error(
    'TENSOR_DTYPE',
    `tensor ${name} is stored as ${dtype}; this model's weights are floats of F32, F16 or BF16`,
    {
      hint: isFloating(dtype)
        ? 'transformers writes such a one: load it with dtype=torch.float32, and save_pretrained it into another folder.'
        : 'Take the checkpoint with floats that it was made of. blip2-shard convert --quant stores int8 or int4 that can be read here.',
      details: { tensor: name, dtype },
    },
  );
}

function wrongShape(name: string, { shape }: TensorInfo, expected: readonly number[]): Blip2Error {
  return new Blip2Error(
    'TENSOR_SHAPE',
    `tensor ${name} has shape [${shape.join(', ')}], but config.json implies [${expected.join(', ')}]`,
    {
      hint: 'Check that config.json belongs to these weights.',
      details: { tensor: name, shape, expected },
    },
  );
}

function sameShape(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((size, axis) => size === b[axis]);
}
