/**
 * Layers of which a model stacks or joins what each makes, because its configuration says so: no hook brings that together. On torch's fake tensors a layer of
 * these on another card fails (LLaVA with two layers, VipLLaVA, Mllama, Whisper and wav2vec 2.0 that weigh layers), and without that field does not.
 */
import { asConfig, type AnyConfig } from '../../models/model-config.js';

/** Layers of a tower, of which several are joined (LLaVA, VipLLaVA, Granite Vision) or stacked (Mllama). */
const FROM_SEVERAL = ['vision_feature_layer', 'vision_feature_layers', 'intermediate_layers_indices'];
/** Those that do so by default. */
const BY_CLASS = /^(VipLlava|Mllama)/;
const LAYERS_OF_TOWER = /(^|\.)vision_(tower|model)\.(.*\.)?\d+$/;
const LAYERS = /(^|\.)layers\.\d+$/;

/** Whether what a group makes is brought together with what others of its list make. */
export function joinedLayers(cls: string, config: AnyConfig): (group: string) => boolean {
  // Classifiers of sound that weigh the outputs of all layers.
  if (config['use_weighted_layer_sum'] === true) return (group) => LAYERS.test(group);
  const parts = [config, asConfig(config['vision_config'])];
  const isSeveral = (listed: unknown): boolean => Array.isArray(listed) && listed.length > 1;
  const said = parts.flatMap((part) => FROM_SEVERAL.map((field) => part[field])).filter((each) => each !== undefined);
  const isJoined = said.length === 0 ? BY_CLASS.test(cls) : said.some(isSeveral);
  return isJoined ? (group) => LAYERS_OF_TOWER.test(group) : () => false;
}
