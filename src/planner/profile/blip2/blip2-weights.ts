/** What of a BLIP-2 checkpoint no work changes: its blocks from `config.json`, their bytes from the tensors that are really there. */
import { isRetrieval, placeholderWarning, type ModelConfig } from '../../../model/blip2-config.js';
import { blip2Blocks, type Block, type BlockKind } from '../../../model/blocks.js';
import { T5_TABLE_ALIASES } from '../../../model/modules-beside-blocks.js';
import { checkLayerCounts } from '../../../model/layer-counts.js';
import { quantizableWeights } from '../../../model/quantizable-weights.js';
import { checkTensorNames } from '../../../model/tensor-names.js';
import { QUANT_SCHEMES, type QuantScheme } from '../../../tensor/quantized.js';
import type { TensorTable } from '../../../tensor/tensor-info.js';
import type { Engine } from '../../map/engine.js';
import { sample } from '../../map/module-paths.js';
import {
  checkTensors,
  languageFamily,
  ownTensors,
  TOKEN_TABLES,
  vocabularyTable,
  type VocabularyTable,
} from './blip2-owners.js';
import { keptLevels } from '../kept-levels.js';
import { keepsItsDtype, loadedDtype, type DtypeRules } from '../loaded-dtype.js';
import type { ProfileBlock, ProfileOptions } from '../model-profile.js';
import { LAYERS } from './streamed-groups.js';
import { infoOf, quantizedSizes, sizesOf, type TensorSize } from './tensor-sizes.js';

export interface Blip2ProfileOptions extends ProfileOptions {
  /** Schemes that blocks may be quantised with. Default none. */
  readonly schemes?: readonly QuantScheme[];
  /** Whether `blip2-run` keeps the Q-Former in float32, as it does on WebGPU, which makes a product of two floats from parts. Default: no. */
  readonly keepsQFormer?: boolean;
}

/** A block's weights in one of its forms. */
export interface StoredWeights {
  /** null for floats. */
  readonly scheme: QuantScheme | null;
  readonly held: readonly TensorSize[];
  /** What a run reads: the head of a tied model the token table, which the first block of the bond already holds. */
  readonly read: readonly TensorSize[];
}

export interface BlockWeights extends Pick<ProfileBlock, 'tensors' | 'lookUp' | 'stores' | 'bond' | 'elementBytes'> {
  readonly block: Block;
  readonly loaded: StoredWeights;
  /** Scheme -> what it makes of the weights; null where it leaves a table to be looked up and nothing else. */
  readonly forms: ReadonlyMap<QuantScheme, StoredWeights | null>;
  /** Levels of names that may stay on the GPU which transformers streams the others to. */
  readonly kept: readonly ReadonlySet<string>[];
}

export interface Blip2Weights {
  /** In the order they run. */
  readonly blocks: readonly BlockWeights[];
  /** Other module paths of a block's tensors. */
  readonly aliases: ReadonlyMap<string, string>;
  readonly warnings: readonly string[];
}

/** What the Q-Former starts from. */
const QUERY_INPUTS: ReadonlySet<BlockKind> = new Set<BlockKind>([
  'query-tokens',
  'qformer-norm',
  'qformer-embeddings',
  'text-embeddings',
]);

/**
 * @throws Blip2Error `TENSORS_PREFIXED` where the names are those of a wrapper, `CONFIG_MISMATCH` where there are more layers
 * than the configuration says, `TENSOR_NOT_FOUND` where the checkpoint lacks tensors that the configuration needs, and
 * `TENSOR_SHAPE` where one has another shape than the configuration says.
 */
export function blip2Weights(
  tensors: TensorTable,
  config: ModelConfig,
  { dtype, overrides, engine, schemes = [], keepsQFormer = false, isKept }: Blip2ProfileOptions,
): Blip2Weights {
  checkTensorNames(tensors);
  checkLayerCounts(tensors, config);
  const rules: DtypeRules = {
    dtype,
    blip2: keptBy(engine, config, keepsQFormer),
    overrides,
  };
  const blocks = blip2Blocks(config);
  const table = vocabularyTable(tensors, config);
  const { byBlock, unknown } = ownTensors(tensors, blocks, table);
  checkTensors(tensors, config, table);
  // Both names of one OPT table may be in a file; which bytes differ cannot be seen from headers, so they stay together.
  // transformers 5 takes T5's for tied as well: it compares the two when it loads them, and fails where they are apart.
  const family = languageFamily(config);
  const bonded = !table.ownHead || family === 'opt' || (family === 't5' && engine === 'transformers');

  const formsOf = (block: Block, names: readonly string[], own: readonly TensorSize[], bond: string | null) => {
    if (schemes.length === 0) return new Map<QuantScheme, StoredWeights | null>();
    const held = new Map(names.map((name) => [name, infoOf(tensors, name)]));
    const weights = quantizableWeights(block, config, held, table.name);
    const followsHead = bond !== null && TOKEN_TABLES.has(block.kind);
    if (weights.length === 0 && !followsHead) return new Map<QuantScheme, StoredWeights | null>();
    return new Map(
      schemes.map((scheme): [QuantScheme, StoredWeights | null] => {
        if (followsHead) return [scheme, null];
        const sizes = quantizedSizes(own, weights, scheme, tensors, rules);
        return [scheme, { scheme, held: sizes, read: sizes }];
      }),
    );
  };
  return {
    blocks: blocks.map((block): BlockWeights => {
      const names = byBlock.get(block.name) ?? [];
      const held = sizesOf(tensors, names, rules);
      const sharesTable = block.kind === 'head' && !table.ownHead;
      const read = sharesTable ? sizesOf(tensors, [table.name], rules) : held;
      const bond = bondOf(block, bonded);
      return {
        block,
        tensors: names,
        lookUp: lookUpOf(block, table, engine),
        stores: storesOf(block, names, tensors, rules, engine),
        bond,
        elementBytes: elementBytes(block, rules),
        loaded: { scheme: schemeOf(names), held, read },
        forms: formsOf(block, names, held, bond),
        // A Q-Former layer stays in one piece.
        kept: engine === 'transformers' && LAYERS.has(block.kind) ? keptLevels(block.name, read, isKept) : [new Set()],
      };
    }),
    aliases: aliasesOf(config, tensors),
    warnings: [
      engine === 'transformers' ? placeholderWarning(config) : null,
      unknown.length === 0
        ? null
        : `${unknown.length} tensors are in no module of this model and are left out: ${sample(unknown)}`,
    ].filter((said) => said !== null),
  };
}

/** Whose exceptions apply: transformers computes an InstructBLIP's Q-Former in the model's dtype. */
function keptBy(engine: Engine, config: ModelConfig, keepsQFormer: boolean): DtypeRules['blip2'] {
  if (engine === 'blip2-run') return keepsQFormer ? 'blip-2' : 'blip2-run';
  return isInstructed(config) ? 'instructblip' : 'blip-2';
}

const isInstructed = (config: ModelConfig): boolean => !isRetrieval(config) && config.qformer.text !== null;

/** `blip2-run` looks rows of the language model's tables up in host memory and sends them where they are needed. */
function lookUpOf(block: Block, table: VocabularyTable, engine: Engine): ProfileBlock['lookUp'] {
  if (engine !== 'blip2-run') return null;
  if (TOKEN_TABLES.has(block.kind)) return table.ownHead ? 'rows' : 'head';
  return block.kind === 'opt-positions' ? 'rows' : null;
}

/**
 * Where a block may wait. Parameters of the root module cannot be read from disk run by run. transformers reads what a map
 * puts on disk in the model's dtype, also where it keeps a module in another: a Q-Former that is cut there fails, and T5's
 * `wo` overflows.
 */
function storesOf(
  block: Block,
  names: readonly string[],
  tensors: TensorTable,
  rules: DtypeRules,
  engine: Engine,
): ProfileBlock['stores'] {
  const loaded =
    block.kind === 'query-tokens' ||
    (engine === 'transformers' && names.some((name) => keepsItsDtype(name, infoOf(tensors, name).dtype, rules)));
  return loaded ? ['cpu'] : ['cpu', 'disk'];
}

/** How the file stores a block: `blip2-shard convert --quant` quantises all of its linear weights alike. */
function schemeOf(names: readonly string[]): QuantScheme | null {
  const ofScheme = (scheme: QuantScheme) => {
    const suffix = `.${scheme}`;
    return names.some((name) => name.endsWith(suffix));
  };
  return QUANT_SCHEMES.find(ofScheme) ?? null;
}

/** Elements of activations and caches: of a Q-Former as its weights are. */
function elementBytes(block: Block, rules: DtypeRules): 2 | 4 {
  if (block.kind.startsWith('q')) return loadedDtype(`${block.name}.weight`, 'F32', rules) === 'F32' ? 4 : 2;
  return rules.dtype === 'float32' ? 4 : 2;
}

function bondOf(block: Block, headBonded: boolean): string | null {
  if (QUERY_INPUTS.has(block.kind)) return 'queries';
  return headBonded && (TOKEN_TABLES.has(block.kind) || block.kind === 'head') ? 'vocabulary' : null;
}

/** transformers registers the T5 table under each stack as well, so a map that lists a stack's parts must list these. */
function aliasesOf(config: ModelConfig, tensors: TensorTable): Map<string, string> {
  if (languageFamily(config) !== 't5' || tensors.size === 0) return new Map();
  return new Map(T5_TABLE_ALIASES.map((alias) => [alias, 'language_model.shared']));
}
