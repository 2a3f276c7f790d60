/**
 * What a block of a class that transformers executes holds while it runs, beside weights and caches. Factors are those of plain torch,
 * counted by `test/fixtures/planner/record_activations.py`: kernels that people may install for scans need less.
 */
import type { TensorTable } from '../../../tensor/tensor-info.js';
import { numberOf, stringOf, type AnyConfig } from '../../models/model-config.js';
import { CROSS } from './cache-shape.js';
import { EXPERTS, expertsOf } from './experts.js';
import { turnedElements } from './picture-patches.js';
import { scanElements } from './prompt-scans.js';

export interface BlockRows {
  /** Tokens of a call: all of its sequences'. */
  readonly tokens: number;
  readonly sequences: number;
  /** Tokens of one sequence. */
  readonly length: number;
}

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
/** Fewer while scores are made. */
const ROWS_BESIDE_SCORES = 4;
/** Classes that turn queries and keys in float32. */
const TURNED_WIDE = /^(cohere|aya|modernbert|ernie4)/;
/** Of queries and of keys as wide. */
const WIDE_ROWS = { queries: 7.5, keys: 5 };
const QUERIES = /\.q_proj\.weight$/;
const KEYS = /\.k_proj\.weight$/;
/** Scores of what chooses the tokens to attend to, in float32: products, what is left of them, and their sum over heads. */
const INDEXED = 3;
/** Results of a score's size at once: products, their sum with the mask, the softmax in float32 and what it becomes. */
const SCORES_EAGER = 7.5;
/** A learned bias of every position to every other, with the mask in it, and as it is made. */
const SCORES_BIASED = 3;
/** The same of text: the bias is one for all sequences, and each has a mask in it, twice; attention to an encoder has another, of zeros. */
const biasesOfText = (sequences: number, crosses: boolean): number => 1 + 2 * sequences + (crosses ? 1 : 0);
/** Of two positions, how far apart they are, whatever the heads: 64-bit integers and what they become. */
const DISTANCE_ELEMENTS = 26.5;
/** Of rows of the model's width, while a bias is there. */
const ROWS_BESIDE_BIAS = 7.1;
/** Attention of encoders of sound that knows distances: it is written out, whatever the rest of the model does. */
const DISTANCES = /\.(distance_embedding|linear_pos)\.weight$/;
/** Towers keep what comes in, and some their first layers' results, beside what a layer makes. */
const KEPT_BESIDE = 1.15;
const ATTENTION = /attn|attention/i;
const POINTWISE = /\.(pwconv1|pointwise_conv1)\.weight$/;
const BIASED = /\.relative_attention_bias\.weight$/;

/** @param isEager whether attention is written out, so that all of a prompt's scores are there at once */
export function activationElements(
  rows: BlockRows,
  widths: BlockWidths,
  tensors: TensorTable,
  {
    text,
    isEager,
    elementBytes,
  }: { readonly text: AnyConfig; readonly isEager: boolean; readonly elementBytes: number },
): number {
  const straight = rows.tokens * (pointwiseElements(tensors) ?? straightElements(widths, tensors, text));
  const scan = scanElements(tensors, text, rows.length, elementBytes) * rows.sequences * (4 / elementBytes);
  const routed = rows.tokens * routedElements(widths, tensors, text);
  const scores = scoreElements(rows, tensors, text, isEager);
  const indexed = indexedElements(rows, tensors, text) * (4 / elementBytes);
  return Math.ceil(Math.max(straight + scan + indexed, routed, scores, windowElements(rows.tokens, tensors)));
}

/** Of a token, in a layer that has products and norms alone. */
function straightElements({ rowWidth, widest }: BlockWidths, tensors: TensorTable, text: AnyConfig): number {
  const names = [...tensors.keys()];
  const width = widthOf(text) ?? rowWidth;
  const activation = stringOf(text, 'hidden_act', 'activation_function', 'hidden_activation', 'dense_act_fn') ?? '';
  const kind = stringOf(text, 'model_type') ?? '';
  const results = OPENED_WIDE.test(kind) ? WIDE_RESULTS : (COMPOSED.get(activation) ?? 2);
  const plain = 2 * rowWidth + results * widest;
  const gated = names.some((name) => GATED.test(name)) ? (1 + results) * widest + ROWS_HELD * width : 0;
  const isTurned = TURNED_WIDE.test(kind) && names.some((name) => ATTENTION.test(name));
  const rowsOf = (projection: RegExp): number =>
    [...tensors].find(([name]) => projection.test(name))?.[1].shape[0] ?? width;
  const turned = 4 * width + WIDE_ROWS.queries * rowsOf(QUERIES) + WIDE_ROWS.keys * rowsOf(KEYS);
  return Math.max(plain, gated, isTurned ? turned : 0) + streamElements(widest, width, text);
}

/** Of Gemma 3n, what it has beside one stream of rows: others, each predicted and corrected, and its layers' own tables. */
function streamElements(widest: number, width: number, text: AnyConfig): number {
  const streams = numberOf(text, 'altup_num_inputs');
  if (streams === null) return 0;
  const perLayer = numberOf(text, 'hidden_size_per_layer_input') ?? 0;
  return widest + 4 * streams * width + 2 * (numberOf(text, 'num_hidden_layers') ?? 0) * perLayer;
}

const widthOf = (text: AnyConfig): number | null => numberOf(text, 'hidden_size', 'd_model', 'n_embd');

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

/** Of a tower, which works on `patches`. */
export function pictureElements(
  patches: number,
  { rowWidth, widest }: BlockWidths,
  tensors: TensorTable,
  config: AnyConfig,
): number {
  const straight = patches * Math.max(KEPT_BESIDE * (2 * rowWidth + 2 * widest), turnedElements(config));
  return Math.ceil(Math.max(straight, windowElements(patches, tensors)));
}

const WINDOW_TABLE = /\.relative_position_bias_table$/;
const WINDOW_ROWS = /\.rel_pos_h$/;

/** Of patches whose scores have a bias by how far apart they are in a window, or in the picture: as large as their tables tell. */
function windowElements(patches: number, tensors: TensorTable): number {
  let most = 0;
  for (const [name, { shape }] of tensors) {
    const [rows = 0, columns = 1] = shape;
    // Distances in both directions at once, and those to a token for the whole; a column for each head.
    if (WINDOW_TABLE.test(name)) most = Math.max(most, columns * (Math.floor((Math.sqrt(rows) + 1) / 2) ** 2 + 1));
    if (!WINDOW_ROWS.test(name)) continue;
    // Of one direction, as wide as a head.
    const width = [...tensors].find(([each]) => each.endsWith('.qkv.weight'))?.[1].shape[1] ?? columns;
    most = Math.max(most, (width / columns) * ((rows + 1) / 2) ** 2);
  }
  return SCORES_BIASED * patches * most;
}

function scoreElements(
  { sequences, length }: BlockRows,
  tensors: TensorTable,
  text: AnyConfig,
  isEager: boolean,
): number {
  const names = [...tensors.keys()];
  if (!names.some((name) => ATTENTION.test(name))) return 0;
  const isBiased = names.some((name) => BIASED.test(name));
  const heads =
    numberOf(
      text,
      'num_attention_heads',
      'n_head',
      'n_heads',
      'num_heads',
      'attention_heads',
      'encoder_attention_heads',
    ) ?? 0;
  const isWritten = isEager || names.some((name) => DISTANCES.test(name));
  if (!isWritten && !isBiased) return 0;
  const crosses = names.some((name) => CROSS.test(name));
  const perPair = isWritten
    ? sequences * heads * SCORES_EAGER
    : Math.max(heads * biasesOfText(sequences, crosses), DISTANCE_ELEMENTS);
  const perToken = (isWritten ? ROWS_BESIDE_SCORES : ROWS_BESIDE_BIAS) * (widthOf(text) ?? 0);
  return length * (perPair * length + sequences * perToken);
}

/** Rows of a token for each expert that it is sent to: as it comes in and goes out, and weighted; and where weights are float32, in that too. */
const ROWS_ROUTED = { plain: 3, wide: 6 };
/** A router of DeepSeek V3's kind, whose weights are float32. */
const WIDE_ROUTER = /e_score_correction_bias|expert_bias|\.mlp\.gate\.bias$/;

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
  return Math.max(2 * rowWidth, ROWS_HELD * width) + experts.chosen * (rows * width + inner);
}
