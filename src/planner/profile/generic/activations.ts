/**
 * What a block of a class that transformers executes holds while it runs, beside weights and caches. Factors are those of plain torch,
 * counted by `test/fixtures/planner/record_activations.py`: kernels that people may install for scans need less.
 */
import { elementCount, type TensorTable } from '../../../tensor/tensor-info.js';
import { asConfig, numberOf, stringOf, type AnyConfig } from '../../models/model-config.js';
import { EXPERTS, expertsOf } from './experts.js';
import { BLOCK } from './generic-groups.js';
import { turnedElements } from './picture-patches.js';
import { scanElements } from './prompt-scans.js';
import {
  ATTENTION,
  scoreElements,
  scoresReturned,
  widthOf,
  windowElements,
  type Attending,
  type BlockRows,
} from './score-elements.js';

export interface BlockWidths {
  /** Of what comes in and goes out. */
  readonly rowWidth: number;
  /** The widest of any product. */
  readonly widest: number;
  readonly expertElements: number;
}

/** Activation functions that are several operations of torch, each with a result: how many there are at once, beside what comes in and goes out. */
const COMPOSED: ReadonlyMap<string, number> = new Map([
  ['gelu_new', 3.5],
  ['gelu_fast', 3.5],
  ['gelu_python', 3.5],
  ['relu2', 3.5],
  ['xielu', 5],
]);
/** What a gate opens: its activation, what it opens and their product are there at once, beside rows of the model's width. */
const GATED = /\.(gate_proj|gate_up_proj|fused_gate_up_proj|w3|wi_1)\.\w+$/;
/** Opened in float32. */
const OPENED_WIDE = /^beam/;
const WIDE_RESULTS = 6.5;
/** Of rows of the model's width: what a layer is called with and makes, its norms, its attention, and what the model began with. */
const ROWS_HELD = 6.5;
/** Classes that turn queries and keys in float32. */
const TURNED_WIDE = /^(cohere|aya|modernbert|ernie4)/;
/** Of queries and of keys as wide. */
const WIDE_ROWS = { queries: 7.5, keys: 5 };
const QUERIES = /\.q_proj\.weight$/;
const KEYS = /\.k_proj\.weight$/;
/** Scores of what chooses the tokens to attend to, in float32: products, what is left of them, and their sum over heads. */
const INDEXED = 3;
/** Towers keep what comes in, and some their first layers' results, beside what a layer makes. */
const KEPT_BESIDE = 1.15;
const POINTWISE = /\.(pwconv1|pointwise_conv1)\.weight$/;

export function activationElements(
  rows: BlockRows,
  widths: BlockWidths,
  tensors: TensorTable,
  attending: Attending,
  elementBytes: number,
): number {
  const { text } = attending;
  const perToken = pointwiseElements(tensors) ?? straightElements(widths, tensors, rows.length, attending);
  const straight = rows.tokens * Math.max(perToken, codedElements(tensors, text), gatedStateElements(tensors));
  const scan = scanElements(tensors, text, rows.length, elementBytes) * rows.sequences * (4 / elementBytes);
  const sent = routedElements(widths, tensors, text);
  const withMasks = rows.tokens * (sent + attending.maskPerToken);
  const routed = sent === 0 ? 0 : withMasks + scoresReturned(rows, tensors, attending);
  const scores = scoreElements(rows, tensors, attending);
  const indexed = indexedElements(rows, tensors, text) * (4 / elementBytes);
  return Math.ceil(Math.max(straight + scan + indexed, routed, scores, windowElements(rows.tokens, tensors)));
}

/** Of a token, in a layer that has products and norms alone. */
function straightElements(
  { rowWidth, widest }: BlockWidths,
  tensors: TensorTable,
  length: number,
  { text, maskPerToken }: Attending,
): number {
  const names = [...tensors.keys()];
  const width = widthOf(text) ?? rowWidth;
  const activation = stringOf(text, 'hidden_act', 'activation_function', 'hidden_activation', 'dense_act_fn') ?? '';
  const kind = stringOf(text, 'model_type') ?? '';
  const results = OPENED_WIDE.test(kind) ? WIDE_RESULTS : (COMPOSED.get(activation) ?? 2);
  const isHead = widest === numberOf(text, 'vocab_size') && !names.some((name) => BLOCK.test(name));
  const made = (isHead ? logitResults(text) : results) * widest;
  const plain = 2 * rowWidth + Math.max(made, projectedElements(tensors));
  const gated = names.some((name) => GATED.test(name)) ? (1 + results) * widest + ROWS_HELD * width : 0;
  const attends = names.some((name) => ATTENTION.test(name));
  const isTurned = TURNED_WIDE.test(kind) && attends;
  const rowsOf = (projection: RegExp): number =>
    [...tensors].find(([name]) => projection.test(name))?.[1].shape[0] ?? width;
  const turned = 4 * width + WIDE_ROWS.queries * rowsOf(QUERIES) + WIDE_ROWS.keys * rowsOf(KEYS);
  const inLayer = !isHead && isOfLayer(widest, tensors, text) ? ROWS_HELD * width + results * widest : 0;
  // A mask of yes and no becomes one of the model's dtype in each attention.
  const masked = attends && maskPerToken > 0 ? ROWS_HELD * width + length : 0;
  const normed = normedElements(width, tensors);
  const most = Math.max(gated, inLayer, masked, normed, isTurned ? turned : 0);
  return Math.max(plain, most === 0 ? 0 : most + maskPerToken) + streamElements(widest, width, tensors, text);
}

const NORM_OF_QUERIES = /\.q_norm\.weight$/;
/** Queries, they in float32 and their norm in that, beside keys, values and rows of the model's width. */
const RESULTS_OF_NORM = { queries: 5, keys: 2, rows: 4, turns: 2 };

/** Of a token whose queries have a norm of their own, which may be wider than all else; 0 for others. */
function normedElements(width: number, tensors: TensorTable): number {
  const rowsOf = (tensor: RegExp): number => [...tensors].find(([name]) => tensor.test(name))?.[1].shape[0] ?? 0;
  const [queries, head] = [rowsOf(QUERIES), rowsOf(NORM_OF_QUERIES)];
  if (queries === 0 || head === 0) return 0;
  const turned = head < queries ? RESULTS_OF_NORM.turns * head : 0;
  return (
    RESULTS_OF_NORM.queries * queries + RESULTS_OF_NORM.keys * rowsOf(KEYS) + RESULTS_OF_NORM.rows * width + turned
  );
}

/**
 * Whether rows of the model's width go through a layer, or a part of one, whose parent holds as much meanwhile: one that attends, or that is
 * narrow inside, as MobileBERT's.
 */
function isOfLayer(widest: number, tensors: TensorTable, text: AnyConfig): boolean {
  const width = widthOf(text);
  // Stages have widths of their own.
  if (width === null || Array.isArray(text['depths'])) return false;
  const names = [...tensors.keys()];
  const passes = [...tensors.values()].some(({ shape }) => shape.length === 2 && shape.includes(width));
  const attends = names.some((name) => ATTENTION.test(name));
  return passes && (attends || widest <= 2 * width) && names.some((name) => BLOCK.test(name));
}

/** Classes that add a bias to logits apart, or multiply rows that do not lie together. */
const LOGITS_TWICE = /^(lxmert|mra)$/;
/** Logits, and what they become where something is done with them. */
function logitResults(text: AnyConfig): number {
  const isScaled = numberOf(text, 'final_logit_softcapping', 'logits_scaling', 'logit_scale') !== null;
  return isScaled || LOGITS_TWICE.test(stringOf(text, 'model_type') ?? '') ? 2 : 1;
}

const CODES = /\.codevectors$/;
/** Each code by how likely it is, and as they come to be summed. */
const WEIGHTED_CODES = 2.05;

/** Has a quantiser that its forward does not call. */
const UNCODED = /^unispeech-sat$/;

/** Of a frame in a quantiser that weights all of its codes, as wav2vec 2.0's. */
function codedElements(tensors: TensorTable, text: AnyConfig): number {
  const codes = [...tensors].find(([name]) => CODES.test(name))?.[1];
  return codes === undefined || UNCODED.test(stringOf(text, 'model_type') ?? '')
    ? 0
    : WEIGHTED_CODES * elementCount(codes.shape);
}

const DECAY_OF_GATED = /\.recurrent_param$/;
/** Two gates, a decay and its square, what they open and what begins and goes on, beside the layer's other branch. */
const RESULTS_OF_GATED = 15.5;

/** Of a token in a linear recurrence with gates, as RecurrentGemma's. */
function gatedStateElements(tensors: TensorTable): number {
  const decay = [...tensors].find(([name]) => DECAY_OF_GATED.test(name))?.[1];
  return decay === undefined ? 0 : RESULTS_OF_GATED * elementCount(decay.shape);
}

/** Of Gemma 3n, what it has beside one stream of rows: others, each predicted and corrected; and of all its kind, their layers' own inputs. */
function streamElements(widest: number, width: number, tensors: TensorTable, text: AnyConfig): number {
  const streams = numberOf(text, 'altup_num_inputs');
  const ofLayers = (numberOf(text, 'num_hidden_layers') ?? 0) * (numberOf(text, 'hidden_size_per_layer_input') ?? 0);
  if (streams !== null) return widest + 4 * streams * width + 2 * ofLayers;
  return [...tensors.keys()].some((name) => BLOCK.test(name)) ? ofLayers : 0;
}

/** What is projected for all layers at once. */
const OF_ALL_LAYERS = /\.per_layer_model_projection\.weight$/;
/** The product scaled, the same in float32, and its norm in that. */
const RESULTS_OF_ALL_LAYERS = 5;

function projectedElements(tensors: TensorTable): number {
  const projection = [...tensors].find(([name]) => OF_ALL_LAYERS.test(name))?.[1];
  return RESULTS_OF_ALL_LAYERS * (projection?.shape[0] ?? 0);
}

function indexedElements({ sequences, length }: BlockRows, tensors: TensorTable, text: AnyConfig): number {
  const isIndexed = [...tensors.keys()].some((name) => name.includes('.indexer.'));
  return isIndexed ? INDEXED * sequences * (numberOf(text, 'index_n_heads') ?? 0) * length ** 2 : 0;
}

/** Of a patch, where a block widens it and narrows it again and does nothing else with it, as ConvNeXt's; null for others. */
function pointwiseElements(tensors: TensorTable): number | null {
  const names = [...tensors.keys()];
  const shape = [...tensors].find(([name]) => POINTWISE.test(name))?.[1].shape;
  if (shape === undefined || names.some((name) => ATTENTION.test(name))) return null;
  // Response normalisation makes as much again.
  const results = names.some((name) => name.includes('.grn.')) ? 3 : 2;
  return 2 * Math.min(...shape.slice(0, 2)) + results * Math.max(...shape.slice(0, 2));
}

/** Attention of channels to each other, in Florence-2's tower: queries, keys and values, and each as it is turned. */
const OF_CHANNELS = /\.channel_attn\.qkv\.weight$/;
const ROWS_OF_CHANNELS = 18;
/** Which of a picture's tiles are there, for every patch and every other: one is made of the other before the first layer. */
const MASKS_OF_TILES = 2;

/** Of a tower, which works on `patches`. */
export function pictureElements(
  patches: number,
  { rowWidth, widest }: BlockWidths,
  tensors: TensorTable,
  config: AnyConfig,
): number {
  const channels = [...tensors].find(([name]) => OF_CHANNELS.test(name))?.[1].shape[1] ?? 0;
  const perPatch = [KEPT_BESIDE * (2 * rowWidth + 2 * widest), turnedElements(config), ROWS_OF_CHANNELS * channels];
  const straight = patches * Math.max(...perPatch);
  const tiles = numberOf(asConfig(config['vision_config']), 'max_num_tiles') ?? 1;
  const masked = tiles > 1 ? patches ** 2 : 0;
  const begun = MASKS_OF_TILES * masked + 2 * patches * rowWidth;
  return Math.ceil(Math.max(straight + masked, begun, windowElements(patches, tensors)));
}

/** Rows of a token for each expert that it is sent to: as it comes in and goes out, and weighted; and where weights are float32, in that too. */
const ROWS_ROUTED = { plain: 3, wide: 6 };
/** A router of DeepSeek V3's kind, whose weights are float32. */
const WIDE_ROUTER = /e_score_correction_bias|expert_bias|\.mlp\.gate\.bias$/;

const EXPERTS_BIAS = /\.experts\.gate_up_proj_bias$/;
/** A bias for each row, products of both, and what they become on the way, each as wide as one of them, as GPT-OSS's. */
const RESULTS_OF_BIASED = 9;

/** Every expert goes over every token, with zeros for those that it is not sent. */
const TO_ALL = /^llama4/;

/** Of a token in fused experts: a row for each that it is sent to, through all of their products. */
function routedElements({ rowWidth, expertElements }: BlockWidths, tensors: TensorTable, text: AnyConfig): number {
  const experts = expertsOf(text);
  const isFused = [...tensors].some(([name, { shape }]) => EXPERTS.test(name) && shape.length === 3);
  const width = widthOf(text);
  if (experts === null || !isFused || width === null) return 0;
  // A gate, what it opens and their product are of one size, and one more is the gate's activation.
  const inner = (4 / 3) * (expertElements / experts.all / width);
  if (TO_ALL.test(stringOf(text, 'model_type') ?? '')) return ROWS_HELD * width + experts.all * (2 * width + inner);
  const isWide = [...tensors.keys()].some((name) => WIDE_ROUTER.test(name));
  const rows = isWide ? ROWS_ROUTED.wide : ROWS_ROUTED.plain;
  const isBiased = [...tensors.keys()].some((name) => EXPERTS_BIAS.test(name));
  const opened = isBiased ? width + (RESULTS_OF_BIASED / 4) * inner : 0;
  return Math.max(2 * rowWidth, ROWS_HELD * width) + experts.chosen * Math.max(rows * width + inner, opened);
}
