/** Paths of modules and tensors in the tree of a class. */
import type { Float32Rule, ModelClass, ModelTable, ModuleNode } from './read-model-table.js';

export interface ModuleTree {
  /** The nodes from the root to as deep as `path` goes, numbers of lists being "*". */
  along(path: string): readonly ModuleNode[];
  /** How many parts of a tensor's name the tree has modules for; Infinity where it has the tensor itself. */
  depth(tensor: string): number;
  /** When the class loads a tensor in float32 whatever is asked for. */
  float32(tensor: string): Float32Rule;
  isBuffer(tensor: string): boolean;
  /** Where a path comes in the order of registration: compared part by part. */
  order(path: string): readonly number[];
  /** Whether a node, or one below it, is of the kind. */
  some(node: ModuleNode, kind: (node: ModuleNode) => boolean): boolean;
}

export function moduleTree({ nodes }: ModelTable, { root }: ModelClass): ModuleTree {
  const top = nodeAt(nodes, root);
  const known = new Map<string, readonly ModuleNode[]>([['', [top]]]);
  const along = (path: string): readonly ModuleNode[] => {
    const found = known.get(path);
    if (found !== undefined) return found;
    const dot = path.lastIndexOf('.');
    const above = along(dot < 0 ? '' : path.slice(0, dot));
    const depth = path.split('.').length;
    const child = above.length < depth ? undefined : childOf(above.at(-1), path.slice(dot + 1), nodes);
    const answer = child === undefined ? above : [...above, child];
    known.set(path, answer);
    return answer;
  };
  const some = (node: ModuleNode, kind: (node: ModuleNode) => boolean): boolean =>
    kind(node) || [...node.children.values()].some((child) => some(nodeAt(nodes, child), kind));
  const holder = (tensor: string) => {
    const dot = tensor.lastIndexOf('.');
    const module = dot < 0 ? '' : tensor.slice(0, dot);
    const path = along(module);
    const isComplete = path.length === (module === '' ? 1 : module.split('.').length + 1);
    return { path, node: isComplete ? path.at(-1) : undefined, leaf: starred(tensor.slice(dot + 1)) };
  };
  return {
    along,
    some,
    depth(tensor) {
      const { path, node, leaf } = holder(tensor);
      return node?.tensors.has(leaf) === true ? Infinity : path.length - 1;
    },
    float32(tensor) {
      const { node, leaf } = holder(tensor);
      return node?.tensors.get(leaf) ?? 'never';
    },
    isBuffer(tensor) {
      const { node, leaf } = holder(tensor);
      return node?.buffers.has(leaf) === true;
    },
    order(path) {
      const parts = path.split('.');
      let node: ModuleNode | undefined = top;
      return parts.map((part) => {
        const names: string[] = node === undefined ? [] : inOrder(node);
        const at = /^\d+$/.test(part) ? Number(part) : names.indexOf(part);
        node = childOf(node, part, nodes);
        return at < 0 ? Number.MAX_SAFE_INTEGER : at;
      });
    },
  };
}

/** Parameters, then modules, then buffers. */
function inOrder({ tensors, children, buffers }: ModuleNode): string[] {
  return [...[...tensors.keys()].filter((name) => !buffers.has(name)), ...children.keys(), ...buffers];
}

const starred = (part: string): string => (/^\d+$/.test(part) ? '*' : part);

function childOf(node: ModuleNode | undefined, part: string, nodes: readonly ModuleNode[]): ModuleNode | undefined {
  const child = node?.children.get(starred(part));
  return child === undefined ? undefined : nodeAt(nodes, child);
}

function nodeAt(nodes: readonly ModuleNode[], index: number): ModuleNode {
  const node = nodes[index];
  if (node === undefined) throw new RangeError(`the table of models has no node ${index}`);
  return node;
}
