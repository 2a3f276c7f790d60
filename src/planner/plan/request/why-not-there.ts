import type { ModelProfile, ProfileBlock } from '../../profile/model-profile.js';

/** Why a block cannot wait in a store that is not amongst its `stores`, beside a GPU that runs it. */
export function whyNotThere({ kind, stores, lacks }: ProfileBlock, { quantization, dtype }: ModelProfile): string {
  if (kind === 'query-tokens')
    return 'a parameter of the root module is loaded once and cannot be read from disk when it is needed';
  if (stores.length === 0) {
    return quantization === undefined
      ? 'transformers reads its parameters without calling it, so that no hook brings them to where they are read'
      : `transformers runs ${quantization} on GPUs alone`;
  }
  if (quantization !== undefined) return `transformers does not read ${quantization} from disk`;
  if (lacks !== undefined) return `transformers looks for ${lacks} on the disk, and no file has it`;
  return `transformers keeps parts of it in float32, but reads from disk in ${dtype}, so that it fails or answers otherwise`;
}
