/** Attention over caches of fixed length that are past and present at once: no token costs a copy of its cache. */
import type { DecoderOnlyConfig } from '../../../model/language-config.js';
import { at } from '../../../checked-access.js';
import { hasOwnAttention } from '../../../model/quantized-caches.js';
import type { Attributes } from '../../onnx/attributes.js';
import type { Value } from '../../onnx/graph-builder.js';
import type { Module } from '../module.js';
import { plainAttention, type PlainAttentionInputs } from '../plain-attention.js';
import type { StageBuilder } from '../stage-builder.js';
import { headSize, pastWire, presentWire, type CachePart } from '../wires.js';

/** Whether `GroupQueryAttention` takes heads of this width, with rotary positions more of them, and is to be had. */
export function fusesAttention(stage: Pick<StageBuilder, 'attention'>, text: DecoderOnlyConfig): boolean {
  return stage.attention === 'fused' && headSize(text) % (text.family === 'llama' ? 16 : 8) === 0;
}

export interface CachedAttention {
  readonly layer: number;
  readonly heads: number;
  readonly headSize: number;
  /** Factor on the scores. */
  readonly scale: number;
}

export interface MoreOfAttention {
  readonly rotary?: readonly [Value, Value];
  readonly bias?: string;
  readonly offset?: Value;
}

/** Whether attention adds the bias of the product that made queries, keys and values: a node of its own would read and write them once more. */
export const takesOffset = (stage: Pick<StageBuilder, 'own'>, width: number): boolean =>
  stage.own.attention && hasOwnAttention(width);

/**
 * Writes new keys and values at their places and attends, causally.
 * @param qkv `[batch, tokens, 3 * heads * headSize]`: queries, keys, values
 * @param more `rotary`: cosines and sines of every position's angles, `[positions, headSize / 2]`; or what only operators of our own read:
 *   `bias`, a wire, added to scores by distance, `[heads, capacity]`, or `offset`, added to qkv, see `takesOffset`
 */
export function fusedAttention(
  self: Module,
  qkv: Value,
  { layer, heads, headSize: width, scale }: CachedAttention,
  { rotary, bias, offset }: MoreOfAttention = {},
): Value {
  const { stage } = self;
  const caches = [stage.use(pastWire(layer, 'key')), stage.use(pastWire(layer, 'value'))];
  const isOwn = stage.own.attention && hasOwnAttention(width);
  if (stage.quantizesCaches && (!isOwn || rotary !== undefined))
    throw new Error('caches of integers where nothing reads them');
  if ((bias !== undefined || offset !== undefined) && !isOwn) throw new Error('a bias where nothing reads it');
  const attend = (domain: 'blip2' | 'com.microsoft', op: string, operands: readonly Value[], attributes: Attributes) =>
    stage.graph.nodes(op, operands, [true, true, true], { ...self.named(op, { ...attributes, scale }), domain });
  const counts = { num_heads: { int: heads } };
  const positions = bias === undefined ? (rotary ?? []) : [stage.use(bias)];
  const own = [qkv, ...caches, stage.use('seqlens'), ...(offset === undefined ? positions : [offset])];
  const [output, key, value] = isOwn
    ? attend('blip2', ownAttention(stage, positions, offset !== undefined), own, counts)
    : attend(
        'com.microsoft',
        'GroupQueryAttention',
        [qkv, '', '', ...caches, stage.use('seqlens'), stage.use('total'), ...positions],
        { ...counts, kv_num_heads: { int: heads }, ...(rotary === undefined ? {} : { do_rotary: { int: 1 } }) },
      );
  stage.make(presentWire(layer, 'key'), key);
  stage.make(presentWire(layer, 'value'), value);
  return output;
}

/** @param positions the operands that say what positions do to heads: none, a bias, or cosines and sines */
function ownAttention({ quantizesCaches }: StageBuilder, { length }: readonly Value[], hasOffset: boolean): string {
  const caches = quantizesCaches ? 'QuantizedCachedAttention' : 'CachedAttention';
  return `${hasOffset ? 'Offset' : at(['', 'Biased', 'Rotary'], length)}${caches}`;
}

/** The same by operators that take heads of every width, and any bias on the scores: `attention_bias`. */
export function unfusedAttention(
  self: Module,
  { query, key, value }: { readonly query: Value; readonly key: Value; readonly value: Value },
  { layer, heads, headSize: width, scale }: CachedAttention,
): Value {
  const { stage } = self;
  const written = (part: CachePart, rows: Value): Value => {
    const perHead = self.node('Transpose', [self.reshape(rows, [0, 0, heads, width])], {
      perm: { ints: [0, 2, 1, 3] },
    });
    // The same for keys and values of all layers.
    const places = stage.once('places in the caches', () =>
      self.node('Expand', [stage.use('cache_positions'), self.node('Shape', [perHead])]),
    );
    const operands = [stage.use(pastWire(layer, part)), places, perHead];
    const present = self.node('ScatterElements', operands, { axis: { int: 2 } });
    stage.make(presentWire(layer, part), present);
    return present;
  };
  const cached = { query, key: written('key', key), value: written('value', value), bias: stage.use('attention_bias') };
  return biasedAttention(self, { ...cached, perHead: true, heads, scale });
}

/** Attention with a bias on the scores, fused where the device gets that right. */
export function biasedAttention(module: Module, inputs: PlainAttentionInputs): Value {
  if (module.stage.attention === 'plain') return plainAttention(module, inputs);
  const { query, key, value, heads, scale, bias = '' } = inputs;
  const attributes = { num_heads: { int: heads }, scale };
  return module.fused('MultiHeadAttention', [query, key, value, '', '', bias], attributes);
}
