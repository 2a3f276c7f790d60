import type { TensorInfo } from '../../tensor/tensor-info.js';
import { pathsAbove } from '../map/module-paths.js';
import { asConfig, numberOf, type AnyConfig } from './model-config.js';
import type { ModuleTree } from './module-tree.js';

const WIDTH_FROM = ['cls_token', 'word_embeddings.weight'];

/**
 * Poolers that are in no file: AutoModel always builds them, and many encoders, such as those of TrOCR and DINO, were saved without.
 * transformers makes them up and wants a place for them.
 */
export function lackingPoolers(
  tree: ModuleTree,
  config: AnyConfig,
  loaded: ReadonlyMap<string, TensorInfo>,
): [name: string, info: TensorInfo][] {
  const held = pathsAbove(loaded.keys());
  return [...held].flatMap((path): [string, TensorInfo][] => {
    if (!/(^|\.)embeddings$/.test(path)) return [];
    const above = path.slice(0, -'embeddings'.length);
    const dense = `${above}pooler.dense`;
    const embedded = WIDTH_FROM.map((name) => loaded.get(`${path}.${name}`)).find((info) => info !== undefined);
    const width = embedded?.shape.at(-1);
    if (held.has(`${above}pooler`) || embedded === undefined || width === undefined) return [];
    if (tree.depth(`${dense}.weight`) !== Infinity || tree.depth(`${dense}.bias`) !== Infinity) return [];
    const part = above === '' ? config : asConfig(config[above.slice(0, -1)]);
    const rows = numberOf(part, 'pooler_output_size') ?? width;
    return [
      [`${dense}.weight`, { dtype: embedded.dtype, shape: [rows, width] }],
      [`${dense}.bias`, { dtype: embedded.dtype, shape: [rows] }],
    ];
  });
}
