/** Scores of every position to every other, where attention holds them: written out, with learned biases, or in windows. Factors as in `activations.ts`. */
import type { TensorTable } from '../../../tensor/tensor-info.js';
import { numberOf, stringOf, type AnyConfig } from '../../models/model-config.js';
import { CROSS } from './cache-shape.js';

export interface BlockRows {
  /** Tokens of a call: all of its sequences'. */
  readonly tokens: number;
  readonly sequences: number;
  /** Tokens of one sequence. */
  readonly length: number;
}

/** How a model attends, as far as a block's own tensors do not tell. */
export interface Attending {
  readonly text: AnyConfig;
  /** Whether attention is written out, so that all of a prompt's scores are there at once. */
  readonly isEager: boolean;
  /** Whether a bias by where boxes are is added to all scores, as in LayoutLMv3. */
  readonly hasBoxes: boolean;
  /** Whether all runs on a CPU, whose attention in one operation wants values as wide as keys. */
  readonly onCpu: boolean;
  /** Elements of masks for each token, which are there while layers run. */
  readonly maskPerToken: number;
}

/** Results of a score's size at once: products, their sum with the mask, the softmax in float32 and what it becomes. */
const SCORES_EAGER = 7.5;
/** The same where the softmax has the model's dtype, by `model_type`, and rows of the model's width beside them. */
const SCORES_NARROW = { scores: 3.2, rows: 7 };
/** The same with scores of distances, of which there are twice as many as positions, in float32. */
const SCORES_RELATIVE = 10.7;
const RELATIVE = /\.r_w_bias$/;
const NARROW =
  /^(big_bird|bigbird_pegasus|blip|blip_text_model|blip_vision_model|bridgetower_text_model|canine|convbert|deberta|deberta-v2|gpt_oss|ibert|luke|megatron-bert|mpnet|mvp|openai-gpt|prophetnet|rembert|roformer|squeezebert|tapas|visual_bert|xglm)$/;
/** A learned bias of every position to every other, with the mask in it, and as it is made. */
const SCORES_BIASED = 3;
/** The same of text: the bias is one for all sequences, and each has a mask in it, twice; attention to an encoder has another, of zeros. */
const biasesOfText = (sequences: number, crosses: boolean): number => 1 + 2 * sequences + (crosses ? 1 : 0);
/** Of two positions, how far apart they are, whatever the heads: 64-bit integers and what they become. */
const DISTANCE_ELEMENTS = 26.5;
/** Of rows of the model's width, while a bias is there. */
const ROWS_BESIDE_BIAS = 7.1;
/** Of rows of the model's width, beside scores. */
const ROWS_BESIDE_SCORES = 4;
/** Of what boxes tell, a bias for each sequence, and it with the mask in it; and rows of the model's width. */
const BOXES = { scores: 2.2, rows: 5.5 };
/**
 * Where values are narrower than keys, on a CPU, all in float32: scores and their softmax beside queries and keys as they are and scaled, and
 * what comes of the softmax beside values.
 */
const UNEVEN = [
  { scores: 4, keys: 10, values: 2.2 },
  { scores: 3, keys: 10, values: 6 },
];
/** DeBERTa's, of words and of how far they are apart: scores of all distances beside those of all positions, and where each is found. */
const DISENTANGLED = { scores: 3.8, distances: 2.5, places: 13.4, rows: 3 };
const OF_DEBERTA = /^(deberta|deberta-v2|sew-d)$/;
/** Attention of encoders of sound that knows distances: it is written out, whatever the rest of the model does. */
const DISTANCES = /\.(distance_embedding|linear_pos)\.weight$/;
export const ATTENTION = /attn|attention/i;
const BIASED = /\.relative_attention_bias\.weight$/;

const WINDOW_TABLE = /\.relative_position_bias_table$/;
const WINDOW_ROWS = /\.rel_pos_h$/;

/** Of patches whose scores have a bias by how far apart they are in a window, or in the picture: as large as their tables tell. */
export function windowElements(patches: number, tensors: TensorTable): number {
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

const WRITTEN_TOWERS = /^(blip_vision_model|got_ocr2_vision)$/;

/** How a tower attends that writes attention out whatever its model does; null for others. */
export function writtenTower(part: AnyConfig): Attending | null {
  return WRITTEN_TOWERS.test(stringOf(part, 'model_type') ?? '')
    ? { text: part, isEager: true, hasBoxes: false, onCpu: false, maskPerToken: 0 }
    : null;
}

export function scoreElements(
  { sequences, length }: BlockRows,
  tensors: TensorTable,
  { text, isEager, hasBoxes, onCpu }: Attending,
): number {
  const names = [...tensors.keys()];
  if (!names.some((name) => ATTENTION.test(name))) return 0;
  const heads = numberOf(text, ...HEADS) ?? 0;
  const width = widthOf(text) ?? 0;
  const of = (perPair: number, perToken: number): number => length * (perPair * length + sequences * perToken);
  const isWritten = isEager || names.some((name) => DISTANCES.test(name));
  const distances = isWritten ? distancesOf(text) : null;
  if (distances !== null) {
    const { scores, places, rows } = DISENTANGLED;
    return of(sequences * heads * scores + places, heads * DISENTANGLED.distances * distances + rows * width);
  }
  const { scores, rows } = writtenScores(text, tensors);
  const written = isWritten ? of(sequences * heads * scores, rows * width) : 0;
  if (names.some((name) => BIASED.test(name))) {
    const crosses = names.some((name) => CROSS.test(name));
    const perPair = Math.max(heads * biasesOfText(sequences, crosses), DISTANCE_ELEMENTS);
    return Math.max(written, of(perPair, ROWS_BESIDE_BIAS * width));
  }
  if (isWritten) return written;
  if (hasBoxes) return of(sequences * heads * BOXES.scores, BOXES.rows * width);
  const { keys, values } = latentSizes(text);
  if (!onCpu || keys === values) return 0;
  const moments = UNEVEN.map((each) => {
    const perToken = heads * (each.keys * keys + each.values * values);
    return of(sequences * heads * each.scores, perToken + ROWS_BESIDE_SCORES * width);
  });
  return Math.max(...moments);
}

/** What attention that is written out returns beside its rows: a layer holds it while its experts run. */
export function scoresReturned(
  { sequences, length }: BlockRows,
  tensors: TensorTable,
  { text, isEager }: Attending,
): number {
  const attends = isEager && [...tensors.keys()].some((name) => ATTENTION.test(name));
  return attends ? sequences * (numberOf(text, ...HEADS) ?? 0) * length ** 2 : 0;
}

const HEADS = [
  'num_attention_heads',
  'n_head',
  'n_heads',
  'num_heads',
  'attention_heads',
  'encoder_attention_heads',
  'num_encoder_attention_heads',
];

function writtenScores(text: AnyConfig, tensors: TensorTable): { readonly scores: number; readonly rows: number } {
  const isRelative = [...tensors.keys()].some((name) => RELATIVE.test(name));
  if (!isRelative && NARROW.test(stringOf(text, 'model_type') ?? '')) return SCORES_NARROW;
  return { scores: isRelative ? SCORES_RELATIVE : SCORES_EAGER, rows: ROWS_BESIDE_SCORES };
}

/** How far apart two words may be for DeBERTa's attention, in both directions; null for others. */
function distancesOf(text: AnyConfig): number | null {
  if (!OF_DEBERTA.test(stringOf(text, 'model_type') ?? '') || text['relative_attention'] !== true) return null;
  return 2 * (numberOf(text, 'position_buckets', 'max_relative_positions', 'max_position_embeddings') ?? 0);
}

/** Of a head, where keys and values are made of what is narrower than they are; zeros where they are not. */
function latentSizes(text: AnyConfig): { readonly keys: number; readonly values: number } {
  const values = numberOf(text, 'kv_lora_rank') === null ? null : numberOf(text, 'v_head_dim');
  const keys = (numberOf(text, 'qk_nope_head_dim') ?? 0) + (numberOf(text, 'qk_rope_head_dim') ?? 0);
  return values === null ? { keys: 0, values: 0 } : { keys, values };
}

export const widthOf = (text: AnyConfig): number | null => numberOf(text, 'hidden_size', 'd_model', 'n_embd');
