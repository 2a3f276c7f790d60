import { pathsAbove } from '../../map/module-paths.js';
import type { ModuleTree } from '../../models/module-tree.js';
import type { LoadedModel } from '../../models/loaded-model.js';
import { instancesOf, unsavedBytes } from '../../models/unsaved-buffers.js';

/** Buffers that no file holds, and that transformers counts for its own maps, or the module that holds nothing else. */
export interface RegisteredBuffer {
  readonly name: string;
  readonly isModule: boolean;
  /** Where it comes in the order of registration. */
  readonly order: readonly number[];
  /** 0 for fewer than 2,000 elements, of which the table has no number. */
  readonly bytes: number;
}

/** @param elementBytes of the dtype in which the model is loaded */
export function registeredBuffers(
  { cls, config, tensors, tree }: LoadedModel,
  elementBytes: number,
): RegisteredBuffer[] {
  const modules = pathsAbove(tensors.keys());
  return cls.unsaved.flatMap((buffer) => {
    const bytes = unsavedBytes(buffer, config, elementBytes);
    return instancesOf(buffer, modules).map((name) => {
      const isModule = isEmptyModule(tree, name);
      return { name, isModule, order: orderOf(name, tree), bytes };
    });
  });
}

/**
 * The table does not say where modules without weights stand. Those of positions mostly do before the layers: of 67 classes in
 * transformers 5.24 whose buffers are large enough to count, Canary, Kosmos-2.5, Llama 4, NeuCodec, Xcodec2, SeamlessM4T v2 and
 * Wav2Vec2-Conformer have them elsewhere.
 */
function orderOf(path: string, tree: ModuleTree): readonly number[] {
  const parts = path.split('.');
  const leaf = parts.pop() ?? path;
  const above = tree.order(path).slice(0, -1);
  const nodes = tree.along(parts.join('.'));
  const siblings = nodes.length === parts.length + 1 ? [...(nodes.at(-1)?.children.keys() ?? [])] : [];
  const layers = siblings.find((name) => /layers|blocks|^h$/.test(name));
  if (!/pos/.test(leaf) || layers === undefined) return [...above, Number.MAX_SAFE_INTEGER];
  return [...above, (tree.order([...parts, layers].join('.')).at(-1) ?? 0) - 0.5];
}

/** Whether a path is of a module without weights; the table lists those that maps may name. */
function isEmptyModule(tree: ModuleTree, path: string): boolean {
  const parts = path.split('.');
  return tree.along(parts.slice(0, -1).join('.')).some(({ empty }, depth) =>
    empty.includes(
      parts
        .slice(depth)
        .map((part) => (/^\d+$/.test(part) ? '*' : part))
        .join('.'),
    ),
  );
}
