/** What plain torch holds while layers with recurrent states go over a prompt, in float32. */
import { elementCount, type TensorTable } from '../../../tensor/tensor-info.js';
import { numberOf, type AnyConfig } from '../../models/model-config.js';
import { linearHeadSizes } from './recurrent-state.js';

/** Of Mamba, a state of every channel for each token: the decay, the input and their sums. */
const STATES = 3.4;
/** Of Mamba 2, for each head of a token: its pairs with those of a chunk, what it reads and writes of the state, and itself. */
const CHUNKED = { pairs: 3, states: 4.2, values: 5.4 };
/** Of the gated delta rule, queries, keys and values and what is made of them. */
const DELTAS = 14;
/** Of Kimi's, whose decays are of channels: pairs in a chunk for each. */
const CHANNEL_PAIRS = 3.2;
const DELTA_CHUNK = 64;

const OUTWARDS = /\.(mixer|mamba)\.out_proj\.weight$/;
const DECAY = /\.A_log$/;

/** Elements of float32 for one sequence of so many tokens. */
export function scanElements(tensors: TensorTable, text: AnyConfig, length: number, elementBytes: number): number {
  const decay = [...tensors].find(([name]) => DECAY.test(name))?.[1];
  if (decay === undefined || length === 1) return 0;
  const count = elementCount(decay.shape);
  if (decay.shape.length === 2) return STATES * length * count;
  const heads = linearHeadSizes(text);
  // Zamba's Mamba has heads, and keeps the model's dtype.
  if (decay.shape.length > 2 && heads === null) return STATES * length * count * (elementBytes / 4);
  if (decay.shape.length > 2) return CHANNEL_PAIRS * length * DELTA_CHUNK * count * (heads?.keys ?? 0);
  if (heads !== null) return DELTAS * length * count * Math.max(heads.keys, heads.values);
  const chunk = numberOf(text, 'mamba_chunk_size', 'chunk_size') ?? 256;
  const states = numberOf(text, 'mamba_d_state', 'ssm_state_size', 'state_size') ?? 0;
  const inner = [...tensors].find(([name]) => OUTWARDS.test(name))?.[1].shape[1] ?? 0;
  const each = count * (CHUNKED.pairs * chunk + CHUNKED.states * states) + CHUNKED.values * inner;
  return Math.ceil(length / chunk) * chunk * each;
}
