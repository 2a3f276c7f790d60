import type { FloatDtype } from '../../src/loader/convert/convert-floats.js';
import { isFloatDtype } from '../../src/loader/convert/convert-floats.js';
import type { ConfigDtype } from '../../src/loader/shard/config-dtype.js';
import type { ShardTensor } from '../../src/loader/write/shard-tensor.js';

const NAMES: Readonly<Record<FloatDtype, string>> = { F32: 'float32', F16: 'float16', BF16: 'bfloat16' };

/** The first parameter of every BLIP-2, whose dtype transformers takes for the model's. */
const FIRST_PARAMETER = 'query_tokens';

/** What config.json says of a checkpoint whose floats become `target` unless they are kept apart. */
export function configDtype(target: FloatDtype, tensors: ReadonlyMap<string, ShardTensor>): ConfigDtype {
  const first = tensors.get(FIRST_PARAMETER)?.dtype;
  return { model: NAMES[first !== undefined && isFloatDtype(first) ? first : target], parts: NAMES[target] };
}
