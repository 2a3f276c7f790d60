/** The blocks of a model whose class is known: what transformers must not split, and what it can, in the order they run. */
import type { BlockPhase } from '../../model/blocks.js';
import type { LoadedModel } from '../models/loaded-model.js';
import type { ModuleTree } from '../models/module-tree.js';
import type { ModelClass, ModuleNode } from '../models/read-model-table.js';
import { BLOCK, sortedBy, type TensorGroup } from './generic-groups.js';

/** Groups, and other modules of tied tensors that need a key: path -> the group it goes with. */
export interface LoadedGroups {
  readonly groups: readonly TensorGroup[];
  readonly aliases: ReadonlyMap<string, string>;
}

export function loadedGroups(model: LoadedModel): LoadedGroups {
  const { cls, tree } = model;
  const groupOf = new Map<string, string>();
  const members = new Map<string, string[]>();
  const stays = new Set<string>();
  for (const tensor of model.tensors.keys()) {
    const found = ownerOf(tensor, tree);
    groupOf.set(tensor, found.name);
    if (found.stays) stays.add(found.name);
    const known = members.get(found.name);
    if (known === undefined) members.set(found.name, [tensor]);
    else known.push(tensor);
  }
  const ties = tiedGroups(model, groupOf, new Set(members.keys()));
  const groups = [...members, ...ties.heads.map((name): [string, string[]] => [name, []])].map(
    ([name, tensors]): TensorGroup => ({
      name,
      tensors,
      phase: ties.everyToken.has(name) ? 'token' : phaseOf(name, cls),
      isHead: cls.head !== null && isWithin(name, cls.head),
      stays: stays.has(name),
      reads: ties.reads.get(name) ?? [],
      bond: ties.bonds.get(name) ?? null,
    }),
  );
  const rank = ({ name, phase, isHead }: TensorGroup) => [
    phase === 'token' ? 1 : 0,
    isHead ? 1 : 0,
    ...tree.order(name),
  ];
  return { groups: sortedBy(groups, rank), aliases: ties.aliases };
}

/** The module that a tensor moves with, or the tensor itself: accelerate brings a module's tensors where it calls the module. */
function ownerOf(tensor: string, tree: ModuleTree): { name: string; stays: boolean } {
  const parts = tensor.split('.');
  const module = parts.slice(0, -1).join('.');
  const nodes = tree.along(module);
  const uncalled = (node: ModuleNode) => tree.some(node, (each) => each.uncalled);
  for (const [depth, node] of nodes.entries()) {
    const path = parts.slice(0, depth).join('.');
    if (depth > 0 && (node.whole || node.uncalled || BLOCK.exec(`${path}.`)?.[0] === path || isSmallParent(node, tree)))
      return { name: path, stays: uncalled(node) };
  }
  const last = nodes.at(-1);
  if (nodes.length === parts.length && last !== undefined && last.children.size > 0)
    return { name: tensor, stays: true };
  if (module === '') return { name: tensor, stays: true };
  return { name: BLOCK.exec(tensor)?.[0] ?? module, stays: false };
}

/** Tensors of its own beside modules, and nothing below that could be placed by itself: a key for it stands for all. */
function isSmallParent(node: ModuleNode, tree: ModuleTree): boolean {
  if (node.tensors.size === 0 || node.children.size === 0) return false;
  return !tree.some(node, (each) => each.whole || each.children.has('*'));
}

interface Ties {
  readonly heads: readonly string[];
  readonly aliases: ReadonlyMap<string, string>;
  readonly bonds: ReadonlyMap<string, string>;
  readonly reads: ReadonlyMap<string, readonly string[]>;
  /** Groups that hold what the decoder or the head reads. */
  readonly everyToken: ReadonlySet<string>;
}

function tiedGroups(
  { ties, cls, tree }: LoadedModel,
  groupOf: ReadonlyMap<string, string>,
  names: ReadonlySet<string>,
): Ties {
  const heads: string[] = [];
  const aliases = new Map<string, string>();
  const bonds = new Map<string, string>();
  const reads = new Map<string, readonly string[]>();
  const everyToken = new Set<string>();
  for (const [holder = '', ...others] of ties) {
    const home = groupOf.get(holder) ?? holder;
    const bond = bonds.get(home) ?? `tied:${home}`;
    if (others.some((name) => phaseOf(name, cls) === 'token')) everyToken.add(home);
    for (const other of others) {
      const owner = ownerOf(other, tree).name;
      const isHead = cls.head !== null && isWithin(owner, cls.head);
      if (owner === home) continue;
      if (names.has(owner) || isHead) {
        bonds.set(home, bond);
        bonds.set(owner, bond);
        if (!names.has(owner) && !heads.includes(owner)) heads.push(owner);
        if (isHead && !groupOf.has(other)) reads.set(owner, [holder]);
      } else aliases.set(owner, home);
    }
  }
  return { heads, aliases, bonds, reads, everyToken };
}

/** Once per call, or for every token. */
function phaseOf(name: string, { use, decoder, head }: ModelClass): BlockPhase {
  if (use === 'once') return 'prompt';
  if (use === 'causal' || isWithin(name, decoder) || (head !== null && isWithin(name, head))) return 'token';
  return use === 'picture' ? 'image' : 'prompt';
}

const isWithin = (name: string, module: string): boolean =>
  module === '' || name === module || name.startsWith(`${module}.`);
