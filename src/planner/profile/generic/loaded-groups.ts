/** The blocks of a model whose class is known: what transformers must not split, and what it can, in the order they run. */
import type { BlockPhase } from '../../../model/blocks.js';
import type { LoadedModel } from '../../models/loaded-model.js';
import type { ModuleTree } from '../../models/module-tree.js';
import type { ModelClass, ModuleNode } from '../../models/read-model-table.js';
import { BLOCK, sortedBy, type TensorGroup } from './generic-groups.js';
import { isWithin, parentOf } from '../../map/module-paths.js';
import { aroundLists } from './around-lists.js';

/** Groups, and other modules of tied tensors that need a key: path -> the group it goes with. */
export interface LoadedGroups {
  readonly groups: readonly TensorGroup[];
  readonly aliases: ReadonlyMap<string, string>;
}

export interface Splitting {
  /** Whether the experts of a layer may be elsewhere than the rest of it. */
  readonly placesExperts: boolean;
  /** Whether all runs on one GPU, so that a layer may be split which the class does not want whole. */
  readonly onOneGpu: boolean;
  /** Whether it may run on several, between which hooks carry what a module is called with, and nothing that its parent adds up. */
  readonly onSeveralGpus: boolean;
  /** Whether modules that add up what their own make are one, as plans for several have them. */
  readonly keepsUnits: boolean;
  /** Whether a map that is given places parts of a module, so that it is none of one place. */
  readonly isApart?: ((path: string) => boolean) | undefined;
}

export function loadedGroups(model: LoadedModel, splitting: Splitting): LoadedGroups {
  const { cls, tree } = model;
  const owner = owners(model, splitting);
  const groupOf = new Map<string, string>();
  const members = new Map<string, string[]>();
  const stays = new Set<string>();
  for (const tensor of model.tensors.keys()) {
    const found = owner(tensor);
    groupOf.set(tensor, found.name);
    if (found.stays) stays.add(found.name);
    const known = members.get(found.name);
    if (known === undefined) members.set(found.name, [tensor]);
    else known.push(tensor);
  }
  const ties = tiedGroups(model, owner, groupOf, new Set(members.keys()));
  for (const name of readBelow(model)) stays.delete(name);
  const lacking = new Map(model.unread.map((name) => [homeOf(owner(name).name, ties), name]));
  const groups = [...members, ...ties.heads.map((name): [string, string[]] => [name, []])].map(
    ([name, tensors]): TensorGroup => ({
      name,
      tensors,
      phase: ties.everyToken.has(name) ? 'token' : phaseOf(name, cls),
      isHead: cls.head !== null && (isWithin(name, cls.head) || holdsHead(name, cls)),
      stays: stays.has(name),
      lacks: lacking.get(name) ?? null,
      reads: ties.reads.get(name) ?? [],
      shares: ties.shares.get(name) ?? [],
      bond: ties.bonds.get(name) ?? null,
      joins: false,
      onMainGpu: false,
    }),
  );
  const rank = ({ name, phase, isHead }: TensorGroup) => [
    phase === 'token' ? 1 : 0,
    isHead ? 1 : 0,
    ...tree.order(name),
  ];
  const sorted = sortedBy(groups, rank);
  return { groups: splitting.onSeveralGpus ? aroundLists(sorted, cls, model.config) : sorted, aliases: ties.aliases };
}

/** What a tensor moves with: accelerate brings a module's tensors where it calls the module. */
interface Owner {
  /** Path of a module, or the tensor itself. */
  readonly name: string;
  readonly stays: boolean;
}

/** One that is routed to, or all of a layer where they are one tensor. */
const EXPERTS = /^.*?\.(?:experts|routed_experts)(?:\.\d+)?(?=\.)/;

/** Tensor -> its owner; tensors of one module are looked up once. */
function owners(
  model: LoadedModel,
  { placesExperts, onOneGpu, keepsUnits, isApart = () => false }: Splitting,
): (tensor: string) => Owner {
  const { tree } = model;
  const keepsLayers = !onOneGpu || tree.some(tree.root, ({ whole }) => whole);
  const known = new Map<string, Owner | null>();
  return (tensor) => {
    const module = parentOf(tensor);
    let owner = known.get(module);
    if (owner === undefined) {
      const experts = placesExperts ? EXPERTS.exec(`${module}.`)?.[0] : undefined;
      owner =
        experts === undefined
          ? ownerOf(module, model, { keepsLayers, keepsUnits, isApart })
          : { name: experts, stays: false };
      known.set(module, owner);
    }
    return owner ?? { name: tensor, stays: true };
  };
}

interface Grain {
  readonly keepsLayers: boolean;
  readonly keepsUnits: boolean;
  readonly isApart: (path: string) => boolean;
}

/** null for a module whose tensors have keys of their own. */
function ownerOf(
  module: string,
  { cls, tree, isWhole }: LoadedModel,
  { keepsLayers, keepsUnits, isApart }: Grain,
): Owner | null {
  const parts = module === '' ? [] : module.split('.');
  const nodes = tree.along(module);
  const layer = keepsLayers ? BLOCK.exec(`${module}.`)?.[0] : undefined;
  const block = layer === undefined || isApart(layer) ? undefined : layer;
  for (const [depth, node] of nodes.entries()) {
    const path = parts.slice(0, depth).join('.');
    const isOne =
      isWhole(path) ||
      block === path ||
      isSmallParent(node, tree) ||
      (keepsUnits && isUnit(path, node, tree) && !holdsHead(path, cls));
    if (depth > 0 && (node.uncalled || (isOne && !isApart(path))))
      return { name: path, stays: tree.some(node, (each) => each.uncalled) };
  }
  const last = nodes.at(-1);
  const isComplete = nodes.length === parts.length + 1;
  const pooling = isComplete ? undefined : POOLING_HEAD.exec(`${module}.`)?.[0];
  if (pooling !== undefined) return { name: pooling, stays: true };
  if (module === '' || (isComplete && last !== undefined && last.children.size > 0)) return null;
  return { name: block ?? module, stays: false };
}

/** SigLIP's, where the class has none by default: attention of torch's own, which reads its parameters itself. */
const POOLING_HEAD = /^(?:.*\.)?vision_model\.head(?=\.)/;

const NUMBER = /(^|\.)\d+$/;

/** A member of a list that is no module of one product, or a module below which there is none. */
const isUnit = (path: string, node: ModuleNode, tree: ModuleTree): boolean =>
  node.children.size > 0 &&
  (NUMBER.test(path) || !tree.some(node, (each) => each.whole || (each.children.get('*')?.children.size ?? 0) > 0));

const holdsHead = (path: string, { head }: ModelClass): boolean =>
  head !== null && head !== path && isWithin(head, path);

/** Tensors of its own beside modules, and nothing below that could be placed by itself: a key for it stands for all. */
function isSmallParent(node: ModuleNode, tree: ModuleTree): boolean {
  if (node.tensors.size === 0 || node.children.size === 0) return false;
  return !tree.some(node, (each) => each.whole || each.children.has('*'));
}

/** Tensors of modules that hold them for a module below, as BERT's head its bias: that one's hook brings them. */
export function readBelow({ ties, tree }: LoadedModel): string[] {
  const own = ties.flat().filter((name) => (tree.along(parentOf(name)).at(-1)?.children.size ?? 0) > 0);
  return own.filter((name) =>
    ties.some(
      (group) => group.includes(name) && group.some((other) => parentOf(other).startsWith(`${parentOf(name)}.`)),
    ),
  );
}

interface Ties {
  readonly heads: readonly string[];
  readonly aliases: ReadonlyMap<string, string>;
  readonly bonds: ReadonlyMap<string, string>;
  readonly reads: ReadonlyMap<string, readonly string[]>;
  readonly shares: ReadonlyMap<string, readonly string[]>;
  /** Groups that hold what the decoder or the head reads. */
  readonly everyToken: ReadonlySet<string>;
}

function tiedGroups(
  { ties, cls }: LoadedModel,
  ownerOfTensor: (tensor: string) => Owner,
  groupOf: ReadonlyMap<string, string>,
  names: ReadonlySet<string>,
): Ties {
  const heads: string[] = [];
  const aliases = new Map<string, string>();
  const bonds = new Map<string, string>();
  const reads = new Map<string, readonly string[]>();
  const shares = new Map<string, readonly string[]>();
  const everyToken = new Set<string>();
  for (const [holder = '', ...others] of ties) {
    const home = groupOf.get(holder) ?? holder;
    if (others.some((name) => phaseOf(name, cls) === 'token')) everyToken.add(home);
    for (const other of others) {
      const owner = ownerOfTensor(other).name;
      const isHead = cls.head !== null && isWithin(owner, cls.head);
      if (!groupOf.has(other)) shares.set(owner, [...(shares.get(owner) ?? []), other]);
      if (owner === home) continue;
      if (names.has(owner) || isHead) {
        bind(bonds, home, owner);
        if (!names.has(owner) && !heads.includes(owner)) heads.push(owner);
        if (!groupOf.has(other)) reads.set(owner, [...(reads.get(owner) ?? []), holder]);
      } else {
        // One that reads two groups, as BERT's head tokens and bias, holds them together.
        const known = aliases.get(owner);
        if (known !== undefined && known !== home) bind(bonds, known, home);
        aliases.set(owner, home);
      }
    }
  }
  return { heads, aliases, bonds, reads, shares, everyToken };
}

/** One place for both, and for all that has one with either. */
function bind(bonds: Map<string, string>, home: string, owner: string): void {
  const bond = bonds.get(home) ?? bonds.get(owner) ?? `tied:${home}`;
  const other = bonds.get(owner);
  for (const [name, label] of bonds) if (label === other) bonds.set(name, bond);
  bonds.set(home, bond);
  bonds.set(owner, bond);
}

const homeOf = (owner: string, { aliases }: Ties): string => aliases.get(owner) ?? owner;

/** Once per call, or for every token. */
function phaseOf(name: string, { use, decoder, head }: ModelClass): BlockPhase {
  if (use === 'once') return 'prompt';
  if (use === 'causal' || isWithin(name, decoder) || (head !== null && isWithin(name, head))) return 'token';
  return use === 'picture' ? 'image' : 'prompt';
}
