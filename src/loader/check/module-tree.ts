/** Tensors as the tree of modules that their dotted names spell. Pure. */
import type { Dtype } from '../../tensor/dtype.js';
import { elementCount, tensorBytes, type TensorInfo } from '../../tensor/tensor-info.js';

export interface ModuleNode {
  /** Dotted path; '' for the root. */
  readonly path: string;
  readonly tensors: number;
  readonly parameters: number;
  readonly bytes: number;
  /** dtype -> parameters of it, most first. */
  readonly dtypes: ReadonlyMap<Dtype, number>;
  /** By the order of the tensors; none for a tensor. */
  readonly children: readonly ModuleNode[];
}

export function moduleTree(tensors: ReadonlyMap<string, TensorInfo>): ModuleNode {
  return node(
    '',
    [...tensors].map(([name, info]) => ({ rest: name.split('.'), info })),
  );
}

interface Leaf {
  /** What of the name is below this node. */
  readonly rest: readonly string[];
  readonly info: TensorInfo;
}

function node(path: string, leaves: readonly Leaf[]): ModuleNode {
  const dtypes = new Map<Dtype, number>();
  const groups = new Map<string, Leaf[]>();
  for (const { rest, info } of leaves) {
    dtypes.set(info.dtype, (dtypes.get(info.dtype) ?? 0) + elementCount(info.shape));
    const [key, ...below] = rest;
    if (key === undefined) continue;
    const group = groups.get(key) ?? [];
    groups.set(key, group);
    group.push({ rest: below, info });
  }
  const children = [...groups].map(([key, group]) => node(path === '' ? key : `${path}.${key}`, group));
  return {
    path,
    tensors: leaves.length,
    parameters: leaves.reduce((sum, { info }) => sum + elementCount(info.shape), 0),
    bytes: leaves.reduce((sum, { info }) => sum + tensorBytes(info), 0),
    dtypes: new Map([...dtypes].sort(([, a], [, b]) => b - a)),
    children,
  };
}
