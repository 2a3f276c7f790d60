/**
 * What a block of a class that transformers executes holds while it runs, beside weights and caches. Factors are those of plain torch,
 * counted by `test/fixtures/planner/record_activations.py`: kernels that people may install for scans need less.
 */
import type { TensorTable } from '../../../tensor/tensor-info.js';
import { numberOf, stringOf, type AnyConfig } from '../../models/model-config.js';
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

/** Activation functions that are several operations of torch, each with a result. */
const COMPOSED = new Set(['gelu_new', 'gelu_fast', 'gelu_python', 'relu2', 'xielu']);
/** Results of a score's size at once: products, their sum with the mask, the softmax in float32 and what it becomes. */
const SCORES_EAGER = 7.5;
/** A learned bias of every position to every other, with the mask in it, and as it is made. */
const SCORES_BIASED = 3;
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
  const { rowWidth, widest } = widths;
  const isComposed = COMPOSED.has(
    stringOf(text, 'hidden_act', 'activation_function', 'hidden_activation', 'dense_act_fn') ?? '',
  );
  const straight = rows.tokens * (pointwiseElements(tensors) ?? 2 * rowWidth + (isComposed ? 3.5 : 2) * widest);
  const scan = scanElements(tensors, text, rows.length, elementBytes) * rows.sequences * (4 / elementBytes);
  const routed = rows.tokens * (2 * rowWidth + routedElements(widths, tensors, text));
  const scores = Math.max(scoreElements(rows, tensors, text, isEager), windowElements(rows.tokens, tensors));
  return Math.ceil(Math.max(straight + scan, routed, scores));
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
  const factor = isWritten ? SCORES_EAGER : isBiased ? SCORES_BIASED : 0;
  return factor * sequences * heads * length ** 2;
}

/** Of a token in fused experts: a row for each that it is sent to, through all of their products. */
function routedElements({ expertElements }: BlockWidths, tensors: TensorTable, text: AnyConfig): number {
  const experts = expertsOf(text);
  const isFused = [...tensors].some(([name, { shape }]) => EXPERTS.test(name) && shape.length === 3);
  const width = numberOf(text, 'hidden_size', 'd_model', 'n_embd');
  if (experts === null || !isFused || width === null) return 0;
  // A gate, what it opens and their product are of one size, and one more is the gate's activation.
  const inner = (4 / 3) * (expertElements / experts.all / width);
  return experts.chosen * (3 * width + inner);
}
