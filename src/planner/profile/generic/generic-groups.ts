/** The blocks of a checkpoint known by its tensor names alone: numbered blocks whole, everything else module by module. */
import { found } from '../../../checked-access.js';
import type { BlockPhase } from '../../../model/blocks.js';
import { parentOf, pathsAbove } from '../../map/module-paths.js';

/** What moves as one. */
export interface TensorGroup {
  /** Module path, or the tensor where that has a key of its own. */
  readonly name: string;
  readonly tensors: string[];
  readonly phase: BlockPhase;
  /** What turns the decoder's output into logits. */
  readonly isHead: boolean;
  /** Must not wait for its runs elsewhere than on the device that runs them. */
  readonly stays: boolean;
  /** A tensor of its modules that is in no file, so that it cannot be read from the disk. */
  readonly lacks: string | null;
  /** Tensors of other groups that it reads as its own. */
  readonly reads: readonly string[];
  /** Names by which its modules have these, where no file does. */
  readonly shares: readonly string[];
  /** Label shared with groups that hold the same memory. */
  readonly bond: string | null;
  /** Whether what it makes is brought together with what others of its list make. */
  readonly joins: boolean;
  /** Whether of several GPUs only that one may run it which runs the model's own code. */
  readonly onMainGpu: boolean;
}

/** A numbered block: the outermost list of modules in a path. */
export const BLOCK = /^(?:.*?\.)?(?:layers?|blocks?|h|resblocks|groups)\.\d+(?=\.)/;
/** Of tokens or places; CTRL's is called w. */
export const TABLE = /(^|[._])(embed\w*|wte|wpe|shared|word_embeddings|position_embeddings|tok_embeddings)$|(^|\.)w$/;
const IMAGE = /(^|[._])(vision\w*|visual\w*|image\w*|patch_embed\w*|mm_projector|multi_modal_projector)([._]|$)/;
export const LAST = /(^|\.)(lm_head|head|output|score|classifier|embed_out)$/;

interface Group {
  readonly name: string;
  readonly tensors: string[];
}

/** @param tied whether config.json ties the head, which the file then may leave out */
export function genericGroups(names: Iterable<string>, tied: boolean): TensorGroup[] {
  const groups = inRunningOrder(groupTensors(names));
  const table = groups.find(({ name }) => TABLE.test(name) && !/pos/.test(name));
  const hasHead = groups.some(({ name }) => LAST.test(name));
  const bond = tied && !hasHead && table !== undefined ? 'tied' : null;
  const all = groups.map(({ name, tensors }): TensorGroup => ({
    name,
    tensors,
    phase: IMAGE.test(name) ? 'image' : 'token',
    isHead: LAST.test(name),
    stays: tensors.length === 1 && tensors[0] === name,
    lacks: null,
    reads: [],
    shares: [],
    bond: name === table?.name ? bond : null,
    joins: false,
    onMainGpu: false,
  }));
  if (bond === null || table === undefined) return all;
  // The head that tied embeddings have nearly everywhere; transformers wants a key for it.
  return [
    ...all,
    {
      name: 'lm_head',
      tensors: [],
      phase: 'token',
      isHead: true,
      stays: false,
      lacks: null,
      reads: table.tensors,
      shares: [],
      bond,
      joins: false,
      onMainGpu: false,
    },
  ];
}

function groupTensors(names: Iterable<string>): Group[] {
  const groups = new Map<string, Group>();
  for (const tensor of names) {
    const name = BLOCK.exec(tensor)?.[0] ?? (parentOf(tensor) || tensor);
    const group = groups.get(name);
    if (group === undefined) groups.set(name, { name, tensors: [tensor] });
    else group.tensors.push(tensor);
  }
  return splitParents([...groups.values()]);
}

/** A group whose name contains another group gives up its own tensors one by one: a key for it would claim both. */
function splitParents(groups: readonly Group[]): Group[] {
  const parents = pathsAbove(groups.map(({ name }) => name));
  return groups.flatMap((group) =>
    parents.has(group.name) ? group.tensors.map((tensor) => ({ name: tensor, tensors: [tensor] })) : [group],
  );
}

/** Tables first, then lists by number, then norms and heads, each where its top-level module stands in the file. */
function inRunningOrder(groups: readonly Group[]): Group[] {
  const firstSeen = new Map<string, number>();
  for (const { name } of groups) {
    const tower = towerOf(name);
    if (!firstSeen.has(tower)) firstSeen.set(tower, firstSeen.size);
  }
  const rank = ({ name }: Group): readonly number[] => {
    const tower = towerOf(name);
    const index = /\.(\d+)$/.exec(name)?.[1];
    const stage = LAST.test(name) ? 3 : BLOCK.test(`${name}.`) ? 1 : TABLE.test(name) ? 0 : 2;
    return [IMAGE.test(tower) ? 0 : 1, LAST.test(name) ? 1 : 0, found(firstSeen, tower), stage, Number(index ?? 0)];
  };
  return sortedBy(groups, rank);
}

/** In the order of their ranks, compared number by number; equal ones as they were. */
export function sortedBy<T>(items: readonly T[], rank: (item: T) => readonly number[]): T[] {
  const ranked = items.map((item) => ({ item, rank: rank(item) }));
  ranked.sort((a, b) => {
    for (const [i, value] of a.rank.entries()) {
      const difference = value - (b.rank[i] ?? 0);
      if (difference !== 0) return difference;
    }
    return 0;
  });
  return ranked.map(({ item }) => item);
}

/** What lists and tables of one network share: the path before the list, or before the last name. */
function towerOf(name: string): string {
  const list = /^(.*?)(?:^|\.)(?:layers?|blocks?|h|resblocks|groups)\.\d+$/.exec(name);
  if (list !== null) return list[1] ?? '';
  return parentOf(name);
}
