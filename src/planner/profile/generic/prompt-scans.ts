/** What plain torch holds while layers with recurrent states go over a prompt, in float32. */
import { elementCount, type TensorTable } from '../../../tensor/tensor-info.js';
import { numberOf, type AnyConfig } from '../../models/model-config.js';
import { linearHeadSizes } from './recurrent-state.js';

/** Of Mamba, a state of every channel for each token: the decay, the input and their sums. */
const STATES = 3.4;
/** Of Mamba 2, by pairs of tokens in a chunk for each head. */
const PAIRS = 4;
/** Of the gated delta rule, queries, keys and values and what is made of them. */
const DELTAS = 14;
/** Of Kimi's, whose decays are of channels: pairs in a chunk for each. */
const CHANNEL_PAIRS = 3.2;
const DELTA_CHUNK = 64;

const DECAY = /\.A_log$/;

/** Elements for one sequence of so many tokens. */
export function scanElements(tensors: TensorTable, text: AnyConfig, length: number): number {
  const decay = [...tensors].find(([name]) => DECAY.test(name))?.[1];
  if (decay === undefined || length === 1) return 0;
  const count = elementCount(decay.shape);
  if (decay.shape.length === 2) return STATES * length * count;
  const heads = linearHeadSizes(text);
  if (decay.shape.length > 2) return CHANNEL_PAIRS * length * DELTA_CHUNK * count * (heads?.keys ?? 0);
  if (heads !== null) return DELTAS * length * count * Math.max(heads.keys, heads.values);
  const chunk = numberOf(text, 'mamba_chunk_size', 'chunk_size') ?? 256;
  return PAIRS * Math.ceil(length / chunk) * chunk * chunk * count;
}
