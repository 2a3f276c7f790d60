/** Tensors as the tree of modules that their dotted names spell. Pure. */
import { elementCount, type TensorInfo } from '../../tensor/tensor-info.js';
import { storedWeights, weightBytes, weightDtype, weightShape, type StoredWeight } from '../quant/stored-weights.js';

/** A module, or a tensor, with sums over all that it holds; `tensors` and `parameters` are counts. */
export interface ModuleNode {
  /** Dotted path; '' for the root. */
  readonly path: string;
  readonly tensors: number;
  /** Of a weight in small integers its rows times whole blocks: the file does not say how full the last one is. */
  readonly parameters: number;
  readonly bytes: number;
  /** dtype, or `int8` and `int4` -> parameters of it, most first. */
  readonly dtypes: ReadonlyMap<string, number>;
  /** By the order of the tensors; none for a tensor. */
  readonly children: readonly ModuleNode[];
}

/**
 * The tensors by their dotted names, as a tree with sums.
 * @returns the root
 */
export function moduleTree(tensors: ReadonlyMap<string, TensorInfo>): ModuleNode {
  return node(
    null,
    [...storedWeights(tensors)].map(([name, weight]) => ({ rest: levelsOf(name), weight })),
  );
}

/** No model has more. Names may have millions of dots, which would be as many calls within each other. */
const MAX_LEVELS = 200;

function levelsOf(name: string): string[] {
  const levels = name.split('.');
  return [...levels.splice(0, MAX_LEVELS), ...(levels.length === 0 ? [] : [levels.join('.')])];
}

interface Leaf {
  /** What of the name is below this node. */
  readonly rest: readonly string[];
  readonly weight: StoredWeight<TensorInfo>;
}

/** @param path null for the root: a name may begin with a dot, or be empty. */
function node(path: string | null, leaves: readonly Leaf[]): ModuleNode {
  const dtypes = new Map<string, number>();
  const groups = new Map<string, Leaf[]>();
  for (const { rest, weight } of leaves) {
    const dtype = weightDtype(weight);
    dtypes.set(dtype, (dtypes.get(dtype) ?? 0) + elementCount(weightShape(weight)));
    const [key, ...below] = rest;
    if (key === undefined) continue;
    const group = groups.get(key) ?? [];
    groups.set(key, group);
    group.push({ rest: below, weight });
  }
  const children = [...groups].map(([key, group]) => node(path === null ? key : `${path}.${key}`, group));
  return {
    path: path ?? '',
    tensors: leaves.reduce((sum, { weight }) => sum + (weight.kind === 'plain' ? 1 : 2), 0),
    parameters: leaves.reduce((sum, { weight }) => sum + elementCount(weightShape(weight)), 0),
    bytes: leaves.reduce((sum, { weight }) => sum + weightBytes(weight), 0),
    dtypes: new Map([...dtypes].sort(([, a], [, b]) => b - a)),
    children,
  };
}
