/** The profile of a BLIP-2 checkpoint: its blocks from `config.json`, their bytes from the tensors that are really there. */
import { Blip2Error } from '../../errors.js';
import { isRetrieval, type ModelConfig } from '../../model/blip2-config.js';
import { blip2Tensors } from '../../model/blip2-tensors.js';
import { blip2Blocks, type Block, type BlockKind } from '../../model/blocks.js';
import { elementCount, type TensorInfo } from '../../tensor/tensor-info.js';
import { longestPrefix } from '../map/longest-prefix.js';
import { loadedBytes, loadedDtype, type DtypeRules, type LoadDtype } from './load-dtype.js';
import type { BlockRun, Engine, ModelProfile, ProfileBlock } from './model-profile.js';
import { blip2Work } from './work/blip2-work.js';
import type { BlockWork, RunCost } from './work/block-work.js';
import type { Workload } from './workload.js';

export interface Blip2ProfileOptions {
  readonly dtype: LoadDtype;
  readonly overrides?: ReadonlyMap<string, LoadDtype>;
  readonly workload: Workload;
  readonly engine: Engine;
}

const HEAD = 'language_model.lm_head';
const TOKEN_TABLES: ReadonlySet<BlockKind> = new Set<BlockKind>(['opt-tokens', 't5-tokens', 'llama-tokens']);
/** What the Q-Former starts from. */
const QUERY_INPUTS: ReadonlySet<BlockKind> = new Set<BlockKind>([
  'query-tokens',
  'qformer-norm',
  'qformer-embeddings',
  'text-embeddings',
]);
/** The names a file may have for the table of tokens, the module's own first. */
const TABLE_NAMES = {
  opt: ['language_model.model.decoder.embed_tokens.weight'],
  llama: ['language_model.model.embed_tokens.weight'],
  t5: [
    'language_model.shared.weight',
    'language_model.encoder.embed_tokens.weight',
    'language_model.decoder.embed_tokens.weight',
  ],
} as const;
const CROSS_KEYS = /\.EncDecAttention\.[kv]\./;

/**
 * @throws Blip2Error `TENSORS_MISSING` where the checkpoint lacks tensors that the configuration needs, and
 * `TENSOR_SHAPE` where one has another shape than the configuration says.
 */
export function blip2Profile(
  tensors: ReadonlyMap<string, TensorInfo>,
  config: ModelConfig,
  options: Blip2ProfileOptions,
): ModelProfile {
  const { dtype, workload, engine } = options;
  const rules: DtypeRules = {
    dtype,
    blip2: isRetrieval(config) || config.qformer.text === null ? 'blip-2' : 'instructblip',
    ...(options.overrides === undefined ? {} : { overrides: options.overrides }),
  };
  const blocks = blip2Blocks(config);
  const table = vocabularyTable(tensors, config);
  const owned = ownTensors(tensors, blocks, table);
  checkTensors(tensors, config, table);
  const headOwnsTensor = table.ownHead;
  // Both names of one OPT table may be in a file; which bytes differ cannot be seen from headers, so they stay together.
  const bonded = !headOwnsTensor || languageFamily(config) === 'opt';
  const context = {
    config,
    workload,
    prefillRowsPerPicture: engine === 'transformers' ? workload.beams : 1,
  };

  const profileBlocks = blocks.map((block): ProfileBlock => {
    const names = owned.byBlock.get(block.name) ?? [];
    const own = sizesOf(tensors, names, rules);
    const isHead = block.kind === 'head';
    // The head of a tied model reads the token table, which the first block of the bond already holds.
    const read = isHead && !headOwnsTensor ? sizesOf(tensors, [table.name], rules) : own;
    const work = blip2Work(block, context);
    return {
      name: block.name,
      kind: block.kind,
      phase: block.phase,
      tensors: names,
      weightBytes: own.reduce((sum, { bytes }) => sum + bytes, 0),
      float32Bytes: own.reduce((sum, { elements }) => sum + 4 * elements, 0),
      bufferBytes: 0,
      largestLeafBytes: largestLeaf(read),
      cacheElements: work.cacheElements,
      activationElements: work.activationElements,
      elementBytes: elementBytes(block, dtype, rules),
      runs: work.runs.map((run) => blockRun(run, work, read, rules)),
      bond: bondOf(block, bonded),
      extraInputs: work.extraInputs,
      hostTraffic: work.hostTraffic,
    };
  });

  return {
    family: 'blip2',
    dtype,
    workload,
    engine,
    blocks: profileBlocks,
    aliases: aliasesOf(config, tensors),
    weightBytes: profileBlocks.reduce((sum, block) => sum + block.weightBytes, 0),
    assumptions: [],
    warnings: owned.unknown.length === 0 ? [] : [unknownWarning(owned.unknown)],
  };
}

function languageFamily(config: ModelConfig): 'opt' | 't5' | 'llama' | null {
  return isRetrieval(config) ? null : config.text.family;
}

/** Elements of activations and caches: float32 for the Q-Former under float16, as its weights are. */
function elementBytes(block: Block, dtype: LoadDtype, rules: DtypeRules): 2 | 4 {
  if (block.kind.startsWith('q')) return loadedDtype(`${block.name}.weight`, 'F32', rules) === 'F32' ? 4 : 2;
  return dtype === 'float32' ? 4 : 2;
}

function bondOf(block: Block, headBonded: boolean): string | null {
  if (QUERY_INPUTS.has(block.kind)) return 'queries';
  return headBonded && (TOKEN_TABLES.has(block.kind) || block.kind === 'head') ? 'vocabulary' : null;
}

interface TensorSize {
  readonly name: string;
  /** Path of the module that holds the tensor. */
  readonly module: string;
  /** Once loaded. */
  readonly bytes: number;
  readonly elements: number;
}

function sizesOf(tensors: ReadonlyMap<string, TensorInfo>, names: readonly string[], rules: DtypeRules): TensorSize[] {
  return names.map((name) => {
    const info = infoOf(tensors, name);
    return {
      name,
      module: moduleOf(name),
      bytes: loadedBytes(name, info, rules),
      elements: elementCount(info.shape),
    };
  });
}

function blockRun(run: RunCost, work: BlockWork, sizes: readonly TensorSize[], rules: DtypeRules): BlockRun {
  const used =
    run.uses === 'all' ? sizes : sizes.filter(({ name }) => CROSS_KEYS.test(name) === (run.uses === 'cross-keys'));
  const streamedBytes = used.reduce((sum, { bytes }) => sum + bytes, 0);
  const elements = used.reduce((sum, tensor) => sum + tensor.elements, 0);
  const perElement = elements === 0 ? 0 : streamedBytes / elements;
  return {
    phase: run.phase,
    runs: run.runs,
    flops: run.flops,
    readBytes: run.rowElements === null ? streamedBytes : Math.min(streamedBytes, run.rowElements * perElement),
    streamedBytes,
    stateBytes: work.cacheElements === 0 ? 0 : run.stateElements * (rules.dtype === 'float32' ? 4 : 2),
    leaves: new Set(used.map(({ module }) => module)).size,
    outputElements: run.outputElements,
  };
}

interface VocabularyTable {
  /** The tensor that holds the token table. */
  readonly name: string;
  readonly ownHead: boolean;
  /** Further names of the same table in the file, which loading leaves out. */
  readonly copies: ReadonlySet<string>;
}

/** Savers that drop duplicates may keep any one name of a tied table. */
function vocabularyTable(tensors: ReadonlyMap<string, TensorInfo>, config: ModelConfig): VocabularyTable {
  const names = TABLE_NAMES[languageFamily(config) ?? 'opt'];
  const present = names.filter((name) => tensors.has(name));
  const [first] = present;
  const head = `${HEAD}.weight`;
  if (first === undefined) return { name: head, ownHead: false, copies: new Set() };
  return { name: first, ownHead: tensors.has(head), copies: new Set(present.slice(1)) };
}

function ownTensors(
  tensors: ReadonlyMap<string, TensorInfo>,
  blocks: readonly Block[],
  table: VocabularyTable,
): { byBlock: Map<string, string[]>; unknown: string[] } {
  const blockOf = new Map(blocks.map((block) => [block.name, block.name]));
  const tokens = blocks.find((block) => TOKEN_TABLES.has(block.kind));
  const byBlock = new Map<string, string[]>();
  const unknown: string[] = [];
  for (const name of tensors.keys()) {
    if (table.copies.has(name)) continue;
    const owner = name === table.name ? tokens?.name : longestPrefix(blockOf, name);
    if (owner === undefined) unknown.push(name);
    else {
      const names = byBlock.get(owner);
      if (names === undefined) byBlock.set(owner, [name]);
      else names.push(name);
    }
  }
  return { byBlock, unknown };
}

function checkTensors(tensors: ReadonlyMap<string, TensorInfo>, config: ModelConfig, table: VocabularyTable): void {
  const expected = blip2Tensors(config, { dtype: 'F32', ownHead: table.ownHead });
  const tableKeys = new Set<string>(Object.values(TABLE_NAMES).map(([name]) => name));
  const missing: string[] = [];
  for (const [name, { shape }] of expected) {
    const actual = tensors.get(tableKeys.has(name) ? table.name : name);
    if (actual === undefined) missing.push(name);
    else if (!sameShape(actual.shape, shape)) {
      throw new Blip2Error(
        'TENSOR_SHAPE',
        `${name} is [${actual.shape.join(', ')}] in the checkpoint, [${shape.join(', ')}] by its config.json.`,
        { hint: 'The config.json and the weights belong to different models.', details: { name } },
      );
    }
  }
  if (missing.length === 0) return;
  throw new Blip2Error(
    'TENSORS_MISSING',
    `The checkpoint lacks ${missing.length} of ${expected.size} tensors that its config.json needs: ${sample(missing)}`,
    { hint: 'Download every shard named in model.safetensors.index.json.', details: { missing } },
  );
}

function sameShape(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((dim, i) => dim === b[i]);
}

/** transformers registers the T5 table under each stack as well, so a map that lists a stack's parts must list these. */
function aliasesOf(config: ModelConfig, tensors: ReadonlyMap<string, TensorInfo>): Map<string, string> {
  if (languageFamily(config) !== 't5' || tensors.size === 0) return new Map();
  return new Map([
    ['language_model.encoder.embed_tokens', 'language_model.shared'],
    ['language_model.decoder.embed_tokens', 'language_model.shared'],
  ]);
}

function largestLeaf(sizes: readonly TensorSize[]): number {
  const leaves = new Map<string, number>();
  for (const { module, bytes } of sizes) leaves.set(module, (leaves.get(module) ?? 0) + bytes);
  return Math.max(0, ...leaves.values());
}

function infoOf(tensors: ReadonlyMap<string, TensorInfo>, name: string): TensorInfo {
  const info = tensors.get(name);
  if (info === undefined) throw new Blip2Error('TENSORS_MISSING', `The checkpoint has no tensor ${name}.`);
  return info;
}

function moduleOf(tensor: string): string {
  return tensor.slice(0, Math.max(0, tensor.lastIndexOf('.')));
}

function unknownWarning(names: readonly string[]): string {
  return `${names.length} tensors are in no module of this model and are left out: ${sample(names)}`;
}

function sample(names: readonly string[]): string {
  return names.length <= 3 ? names.join(', ') : `${names.slice(0, 3).join(', ')} and ${names.length - 3} more`;
}
