/** Which block owns which tensor of a BLIP-2 checkpoint, and whether all are there in the shapes that config.json implies. */
import { Blip2Error } from '../../../errors.js';
import { isRetrieval, type ModelConfig } from '../../../model/blip2-config.js';
import { blip2Tensors } from '../../../model/blip2-tensors.js';
import type { Block, BlockKind } from '../../../model/blocks.js';
import {
  quantizedInfos,
  quantizedNames,
  storedBlockSize,
  storedScheme,
  type QuantScheme,
} from '../../../tensor/quantized.js';
import type { TensorInfo, TensorTable } from '../../../tensor/tensor-info.js';
import { longestPrefix } from '../../map/longest-prefix.js';
import { sample } from '../../map/module-paths.js';

export const TOKEN_TABLES: ReadonlySet<BlockKind> = new Set<BlockKind>(['opt-tokens', 't5-tokens', 'llama-tokens']);

const HEAD = 'language_model.lm_head.weight';
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

export interface VocabularyTable {
  /** The tensor that holds the token table. */
  readonly name: string;
  /** Whether the head has weights of its own, as floats or quantised. */
  readonly ownHead: boolean;
  /** Further names of the same table in the file, which loading leaves out. */
  readonly copies: ReadonlySet<string>;
}

/** Savers that drop duplicates may keep any one name of a tied table. */
export function vocabularyTable(tensors: TensorTable, config: ModelConfig): VocabularyTable {
  const names = TABLE_NAMES[languageFamily(config) ?? 'opt'];
  const present = names.filter((name) => tensors.has(name));
  const [first] = present;
  if (first === undefined) return { name: HEAD, ownHead: false, copies: new Set() };
  const ownHead = tensors.has(HEAD) || storedScheme(tensors, HEAD) !== null;
  return { name: first, ownHead, copies: new Set(present.slice(1)) };
}

export function languageFamily(config: ModelConfig): 'opt' | 't5' | 'llama' | null {
  return isRetrieval(config) ? null : config.text.family;
}

/** Tensor names by block, and those that no block has. */
export function ownTensors(
  tensors: TensorTable,
  blocks: readonly Block[],
  table: VocabularyTable,
): { byBlock: Map<string, string[]>; unknown: string[] } {
  const blockOf = new Map(blocks.map((block) => [block.name, block.name]));
  const tokens = blocks.find((block) => TOKEN_TABLES.has(block.kind));
  const byBlock = new Map<string, string[]>();
  const unknown: string[] = [];
  let owner: string | undefined;
  for (const name of tensors.keys()) {
    if (table.copies.has(name)) continue;
    if (name === table.name) owner = tokens?.name;
    // Blocks hold no blocks, and a block's tensors mostly follow one another.
    else if (owner === undefined || name[owner.length] !== '.' || !name.startsWith(owner))
      owner = longestPrefix(blockOf, name);
    if (owner === undefined) unknown.push(name);
    else {
      const names = byBlock.get(owner);
      if (names === undefined) byBlock.set(owner, [name]);
      else names.push(name);
    }
  }
  return { byBlock, unknown };
}

/** @throws Blip2Error `TENSOR_NOT_FOUND`, `TENSOR_SHAPE` */
export function checkTensors(tensors: TensorTable, config: ModelConfig, table: VocabularyTable): void {
  const expected = blip2Tensors(config, { dtype: 'F32', ownHead: table.ownHead });
  const tableKeys = new Set<string>(Object.values(TABLE_NAMES).map(([name]) => name));
  const missing: string[] = [];
  for (const [name, { shape }] of expected) {
    const actual = tensors.get(tableKeys.has(name) ? table.name : name);
    if (actual !== undefined) checkShape(name, actual, shape);
    else {
      const scheme = storedScheme(tensors, name);
      if (scheme === null) missing.push(name);
      else checkQuantized(tensors, name, shape, scheme, missing);
    }
  }
  if (missing.length === 0) return;
  throw new Blip2Error(
    'TENSOR_NOT_FOUND',
    `The checkpoint lacks ${missing.length} of ${expected.size} tensors that its config.json needs: ${sample(missing)}`,
    { hint: 'Download every shard named in model.safetensors.index.json.', details: { missing } },
  );
}

function checkQuantized(
  tensors: TensorTable,
  name: string,
  shape: readonly number[],
  scheme: QuantScheme,
  missing: string[],
): void {
  const names = quantizedNames(name, scheme);
  const values = tensors.get(names.values);
  const scales = tensors.get(names.scales);
  if (values === undefined || scales === undefined) missing.push(names.scales);
  else {
    const implied = quantizedInfos(shape, scheme, storedBlockSize(values, scheme));
    checkShape(names.values, values, implied.values.shape);
    checkShape(names.scales, scales, implied.scales.shape);
  }
}

function checkShape(name: string, actual: TensorInfo, shape: readonly number[]): void {
  if (actual.shape.length === shape.length && actual.shape.every((dim, i) => dim === shape[i])) return;
  throw new Blip2Error(
    'TENSOR_SHAPE',
    `${name} is [${actual.shape.join(', ')}] in the checkpoint, [${shape.join(', ')}] by its config.json.`,
    { hint: 'The config.json and the weights belong to different models.', details: { name } },
  );
}
