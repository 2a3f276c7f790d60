/** A model to plan, wherever its headers came from. */
import { blip2Tensors } from '../../../src/model/blip2-tensors.js';
import { parseBlip2Config } from '../../../src/model/blip2-config.js';
import { PRESETS } from '../../../src/model/presets.js';
import type { CheckpointIdentity } from '../../../src/planner/plan/request/plan-options.js';
import type { TensorInfo } from '../../../src/tensor/tensor-info.js';

export interface OpenModel {
  readonly identity: CheckpointIdentity;
  /** The parsed `config.json`; null where there is none. */
  readonly config: unknown;
  /** Files tell which is the first, whose dtype may decide. */
  readonly tensors: ReadonlyMap<string, TensorInfo & { readonly file?: string }>;
  /** The dtype that its index names beside the size of all: transformers takes it where config.json names none. */
  readonly indexDtype?: string;
  readonly warnings: readonly string[];
}

/** A published model whose tensors follow from its configuration. */
export function openPreset(id: string): OpenModel {
  const preset = PRESETS.get(id);
  if (preset === undefined) throw new Error(`no preset ${id}`);
  const tensors = blip2Tensors(parseBlip2Config(preset.config), { dtype: 'F32', ownHead: preset.ownHead });
  return { identity: { id, files: [], fingerprint: null }, config: preset.config, tensors, warnings: [] };
}
