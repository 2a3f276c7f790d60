/**
 * The profile of any checkpoint, from its tensor names alone: repeated blocks (`layers.N`, `blocks.N`, `h.N` and the
 * like) stay whole, everything else goes module by module. What a name cannot tell is assumed, and the assumption said.
 */
import { isFloating } from '../../tensor/dtype.js';
import { elementCount, type TensorInfo } from '../../tensor/tensor-info.js';
import type { BlockPhase } from '../../model/blocks.js';
import { loadedBytes, type DtypeRules, type LoadDtype } from './load-dtype.js';
import type { BlockRun, Engine, ModelProfile, ProfileBlock } from './model-profile.js';
import { likelyCalls } from './work/torch-calls.js';
import type { Workload } from './workload.js';

export interface GenericProfileOptions {
  readonly dtype: LoadDtype;
  readonly overrides?: ReadonlyMap<string, LoadDtype>;
  readonly workload: Workload;
  readonly engine: Engine;
}

/** A numbered block: the outermost list of modules in a path. */
const BLOCK = /^(?:.*?\.)?(?:layers?|blocks?|h|resblocks|groups)\.\d+(?=\.)/;
const TABLE = /(^|[._])(embed\w*|wte|wpe|shared|word_embeddings|position_embeddings|tok_embeddings)$/;
const IMAGE = /(^|[._])(vision\w*|visual\w*|image\w*|patch_embed\w*|mm_projector|multi_modal_projector)([._]|$)/;
const LAST = /(^|\.)(lm_head|head|output|score|classifier|embed_out)$/;
const KEY_OR_VALUE = /\.(k_proj|v_proj|key|value|wk|wv)\.weight$/;

interface Group {
  readonly name: string;
  readonly tensors: string[];
}

export function genericProfile(tensors: ReadonlyMap<string, TensorInfo>, options: GenericProfileOptions): ModelProfile {
  const { dtype, workload, engine } = options;
  const rules: DtypeRules = {
    dtype,
    blip2: null,
    ...(options.overrides === undefined ? {} : { overrides: options.overrides }),
  };
  const blocks = inRunningOrder(groupTensors(tensors.keys())).map((group) =>
    genericBlock(group, tensors, rules, workload),
  );
  return {
    family: 'generic',
    dtype,
    workload,
    engine,
    blocks,
    aliases: new Map(),
    weightBytes: blocks.reduce((sum, block) => sum + block.weightBytes, 0),
    assumptions: [
      'Blocks, their order and how often they run follow from tensor names: this checkpoint has no BLIP-2 config.json.',
      'Key and value caches are as wide as the projections named k_proj, v_proj, key, value, wk or wv.',
    ],
    warnings: [],
  };
}

function groupTensors(names: Iterable<string>): Group[] {
  const groups = new Map<string, Group>();
  for (const tensor of names) {
    const name = BLOCK.exec(tensor)?.[0] ?? (tensor.includes('.') ? tensor.slice(0, tensor.lastIndexOf('.')) : tensor);
    const group = groups.get(name);
    if (group === undefined) groups.set(name, { name, tensors: [tensor] });
    else group.tensors.push(tensor);
  }
  return splitParents([...groups.values()]);
}

/** A group whose name contains another group gives up its own tensors one by one: a key for it would claim both. */
function splitParents(groups: readonly Group[]): Group[] {
  const parents = new Set<string>();
  for (const { name } of groups) {
    for (let i = name.lastIndexOf('.'); i > 0; i = name.lastIndexOf('.', i - 1)) parents.add(name.slice(0, i));
  }
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
    return [IMAGE.test(tower) ? 0 : 1, LAST.test(name) ? 1 : 0, firstSeen.get(tower) ?? 0, stage, Number(index ?? 0)];
  };
  const ranked = groups.map((group) => ({ group, rank: rank(group) }));
  ranked.sort((a, b) => {
    for (const [i, value] of a.rank.entries()) {
      const difference = value - (b.rank[i] ?? 0);
      if (difference !== 0) return difference;
    }
    return 0;
  });
  return ranked.map(({ group }) => group);
}

/** What lists and tables of one network share: the path before the list, or before the last name. */
function towerOf(name: string): string {
  const list = /^(.*?)(?:^|\.)(?:layers?|blocks?|h|resblocks|groups)\.\d+$/.exec(name);
  if (list !== null) return list[1] ?? '';
  return name.includes('.') ? name.slice(0, name.lastIndexOf('.')) : '';
}

function genericBlock(
  { name, tensors: names }: Group,
  tensors: ReadonlyMap<string, TensorInfo>,
  rules: DtypeRules,
  workload: Workload,
): ProfileBlock {
  const { batch, beams, promptTokens, newTokens } = workload;
  const phase: BlockPhase = IMAGE.test(name) ? 'image' : 'token';
  const leaves = new Map<string, number>();
  let weightBytes = 0;
  let float32Bytes = 0;
  let elements = 0;
  let cacheWidth = 0;
  let widest = 0;
  let rowWidth = 0;
  for (const tensor of names) {
    const info = tensors.get(tensor);
    if (info === undefined) continue;
    const bytes = loadedBytes(tensor, info, rules);
    const leaf = tensor.includes('.') ? tensor.slice(0, tensor.lastIndexOf('.')) : tensor;
    leaves.set(leaf, (leaves.get(leaf) ?? 0) + bytes);
    weightBytes += bytes;
    float32Bytes += isFloating(info.dtype) ? 4 * elementCount(info.shape) : bytes;
    elements += elementCount(info.shape);
    if (info.shape.length >= 2) {
      for (const dim of info.shape) widest = Math.max(widest, dim);
      rowWidth = Math.max(rowWidth, info.shape.at(-1) ?? 0);
      if (phase === 'token' && KEY_OR_VALUE.test(tensor)) cacheWidth += info.shape[0] ?? 0;
    }
  }
  const rows = batch * beams;
  const isTable = TABLE.test(name);
  const elementBytes = rules.dtype === 'float32' ? 4 : 2;
  const run = (kind: BlockPhase, runs: number, tokens: number): BlockRun => ({
    phase: kind,
    runs,
    copies: runs,
    flops: isTable ? 0 : 2 * elements * tokens,
    quantizedBytes: 0,
    readBytes: isTable ? Math.min(weightBytes, tokens * rowWidth * elementBytes) : weightBytes,
    streamedBytes: weightBytes,
    stateBytes: kind === 'token' ? rows * cacheWidth * (promptTokens + newTokens / 2) * elementBytes : 0,
    leaves: leaves.size,
    keptBytes: 0,
    keptLeaves: 0,
    torch: likelyCalls(leaves.size),
    outputElements: tokens * rowWidth,
  });
  const runs =
    phase === 'image'
      ? [run('image', 1, batch)]
      : [run('prompt', 1, rows * promptTokens), run('token', newTokens - 1, rows)];
  return {
    name,
    kind: BLOCK.test(`${name}.`) ? 'block' : 'module',
    phase,
    tensors: names,
    weightBytes,
    float32Bytes,
    scheme: null,
    forms: new Map(),
    lookUp: null,
    streamedWithBytes: null,
    bufferBytes: 0,
    stores: ['cpu', 'disk'],
    keptTensors: [],
    keptBytes: 0,
    largestLeafBytes: Math.max(0, ...leaves.values()),
    cacheElements: rows * cacheWidth * (promptTokens + newTokens),
    activationElements: Math.max(rows * promptTokens, batch) * (2 * rowWidth + (isTable ? 0 : 2 * widest)),
    waitingBytes: 0,
    elementBytes,
    runs: runs.filter((each) => each.runs > 0),
    bond: null,
    extraInputs: [],
    hostTraffic: { transfers: 0, elements: 0 },
  };
}
