/** Paths of modules and tensors in the tree of a class. */
import type { Float32Rule, ModelClass, ModuleNode } from './read-model-table.js';

export interface ModuleTree {
  readonly root: ModuleNode;
  /** The nodes from the root to as deep as `path` goes, numbers of lists being "*". */
  along(path: string): readonly ModuleNode[];
  /** Whether the class has a module or a tensor of this name: of those without weights in modules that stay whole nothing is known. */
  has(path: string): boolean;
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

/** The nodes along a path, and whether they are all of it. */
interface Followed {
  readonly nodes: readonly ModuleNode[];
  readonly isComplete: boolean;
}

export function moduleTree({ root }: ModelClass): ModuleTree {
  const known = new Map<string, Followed>([['', { nodes: [root], isComplete: true }]]);
  const childOf = (node: ModuleNode | undefined, part: string): ModuleNode | undefined =>
    node?.children.get(starred(part));
  const follow = (path: string): Followed => {
    const found = known.get(path);
    if (found !== undefined) return found;
    const dot = path.lastIndexOf('.');
    const above = follow(dot < 0 ? '' : path.slice(0, dot));
    const child = above.isComplete ? childOf(above.nodes.at(-1), path.slice(dot + 1)) : undefined;
    const answer = {
      nodes: child === undefined ? above.nodes : [...above.nodes, child],
      isComplete: child !== undefined,
    };
    known.set(path, answer);
    return answer;
  };
  const some = (node: ModuleNode, kind: (node: ModuleNode) => boolean): boolean =>
    kind(node) || [...node.children.values()].some((child) => some(child, kind));
  const holder = (tensor: string) => {
    const dot = tensor.lastIndexOf('.');
    const { nodes, isComplete } = follow(dot < 0 ? '' : tensor.slice(0, dot));
    return {
      depth: nodes.length - 1,
      node: isComplete ? nodes.at(-1) : undefined,
      leaf: starred(tensor.slice(dot + 1)),
    };
  };
  return {
    root,
    along: (path) => follow(path).nodes,
    some,
    has(path) {
      if (follow(path).isComplete) return true;
      const { node, leaf } = holder(path);
      return node !== undefined && (node.tensors.has(leaf) || node.empty.includes(leaf));
    },
    depth(tensor) {
      const { depth, node, leaf } = holder(tensor);
      return node?.tensors.has(leaf) === true ? Infinity : depth;
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
      let node: ModuleNode | undefined = root;
      return parts.map((part) => {
        const names: string[] = node === undefined ? [] : inOrder(node);
        const at = starred(part) === '*' ? Number(part) : names.indexOf(part);
        node = childOf(node, part);
        return at < 0 ? Number.MAX_SAFE_INTEGER : at;
      });
    },
  };
}

/** Parameters, then modules, then buffers. */
function inOrder({ tensors, children, buffers }: ModuleNode): string[] {
  return [...[...tensors.keys()].filter((name) => !buffers.has(name)), ...children.keys(), ...buffers];
}

const isDigit = (code: number): boolean => code >= 48 && code <= 57;

const starred = (part: string): string => (isDigit(part.charCodeAt(0)) && /^\d+$/.test(part) ? '*' : part);
