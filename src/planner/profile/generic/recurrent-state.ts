/** Of layers that sum up what they have seen: states that do not grow, by the tensors that tell of them. */
import { elementCount, type TensorInfo, type TensorTable } from '../../../tensor/tensor-info.js';
import { parentOf } from '../../map/module-paths.js';
import { asConfig, numberOf, type AnyConfig } from '../../models/model-config.js';

export interface RecurrentState {
  /** Elements in the model's dtype. */
  readonly elements: number;
  /** Elements of states that are float32 whatever the model is. */
  readonly float32Elements: number;
  /** Whether a tensor is of a module that keeps such a state, and so no keys and values. */
  readonly isOf: (tensor: string) => boolean;
}

/** As many of the last inputs as it is wide. */
const CONVOLUTION = /\.(conv1d|conv_1d|[qkv]_conv1d|conv\.conv)\.weight$/;
const DECAY = /\.A_log$/;
/** Of a linear recurrent unit: as many states. */
const UNITS = /\.rg_lru\.recurrent_param$/;
/** RWKV keeps the last inputs of both its parts, and of the first three sums beside. */
const TIME_DECAY = /\.time_decay$/;

export function recurrentState(tensors: TensorTable, text: AnyConfig): RecurrentState {
  let elements = 0;
  let float32Elements = 0;
  const modules: string[] = [];
  for (const [tensor, info] of tensors) {
    const count = elementCount(info.shape);
    if (CONVOLUTION.test(tensor)) elements += count;
    else if (UNITS.test(tensor)) float32Elements += count;
    else if (TIME_DECAY.test(tensor)) {
      elements += 2 * count;
      float32Elements += 3 * count;
      modules.push(parentOf(parentOf(tensor)));
    } else if (DECAY.test(tensor)) {
      float32Elements += sumElements(info, tensors, text);
      // Kimi's decays are in a module below the one that keeps the state.
      modules.push(parentOf(tensor).replace(/\.forget_gate$/, ''));
    }
  }
  const isOf = (tensor: string): boolean => modules.some((module) => tensor.startsWith(`${module}.`));
  return { elements, float32Elements, isOf };
}

/** Widths of a head's keys and values where their products are summed up; null for other recurrent layers. */
export function linearHeadSizes(text: AnyConfig): { readonly keys: number; readonly values: number } | null {
  const size = numberOf(text, 'linear_head_dim') ?? numberOf(asConfig(text['linear_attn_config']), 'head_dim');
  const keys = numberOf(text, 'linear_key_head_dim') ?? size;
  const values = numberOf(text, 'linear_value_head_dim') ?? size;
  return keys === null || values === null ? null : { keys, values };
}

/** Of every channel, or of every head. */
function sumElements({ shape }: TensorInfo, tensors: TensorTable, text: AnyConfig): number {
  if (shape.length === 2) return elementCount(shape);
  const heads = linearHeadSizes(text);
  if (heads !== null) return elementCount(shape) * heads.keys * heads.values;
  const states = numberOf(text, 'state_size', 'ssm_state_size', 'mamba_d_state') ?? 0;
  const output = [...tensors].find(([each]) => each.endsWith('.out_proj.weight'))?.[1].shape[1] ?? 0;
  return output * states;
}
