/** The dtypes that models are loaded in, by the names that torch and transformers have for them. */
import type { Dtype } from './dtype.js';

/** A dtype that a model can be loaded in, by PyTorch's name. */
export type LoadDtype = 'float16' | 'bfloat16' | 'float32';

/** The dtypes that a model can be loaded in, by PyTorch's names. */
export const LOAD_DTYPES: readonly LoadDtype[] = ['float16', 'bfloat16', 'float32'];

/** As safetensors files name them. */
export const STORED_AS = { float16: 'F16', bfloat16: 'BF16', float32: 'F32' } as const satisfies Record<
  LoadDtype,
  Dtype
>;
