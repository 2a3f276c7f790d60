/** The two ends of a language model: ids to rows of the token table, and the last rows to logits. */
import type { Block } from '../../model/blocks.js';
import type { TextConfig } from '../../model/language-config.js';
import type { Value } from '../onnx/graph-builder.js';
import { linearProduct } from './linear-product.js';
import { Module } from './module.js';
import type { StageBuilder } from './stage-builder.js';
import { tokenShape } from './token-shape.js';
import type { Weights } from './weights.js';
import { textConfig } from './wires.js';

const HEAD = 'language_model.lm_head.weight';

/** The names under which a file may hold the token table, best first. Files of 2023 may have a tied table as head only. */
const TABLES: Readonly<Record<TextConfig['family'], readonly [string, ...string[]]>> = {
  opt: ['language_model.model.decoder.embed_tokens.weight', HEAD],
  llama: ['language_model.model.embed_tokens.weight', HEAD],
  t5: [
    'language_model.shared.weight',
    'language_model.encoder.embed_tokens.weight',
    'language_model.decoder.embed_tokens.weight',
    HEAD,
  ],
};

export const tokenTable = (stage: StageBuilder): Value =>
  stage.weight(tokenTableName(textConfig(stage.config), stage.weights));

/** The tensor that holds the token table in a checkpoint. */
export function tokenTableName({ family }: TextConfig, weights: Pick<Weights, 'has'>): string {
  const names = TABLES[family];
  return names.find((candidate) => weights.has(candidate)) ?? names[0];
}

/** The weight `[vocabulary, width]` of the head: a table of its own, quantised or not, or the token table that it shares. */
export function headTableName({ config, weights }: StageBuilder): string {
  const text = textConfig(config);
  const isOwn = weights.has(HEAD) || weights.quantized(HEAD) !== null;
  // transformers 5 ties every T5 whose files hold no head; for others it would make up a head that is missing.
  return isOwn || (text.family !== 't5' && !text.tied) ? HEAD : tokenTableName(text, weights);
}

/** Logits of the last token of each row of the batch. */
export function lowerHead(stage: StageBuilder, block: Block): void {
  const text = textConfig(stage.config);
  const module = new Module(stage, block.name);
  const hidden = stage.use(text.family === 'opt' && text.embedSize !== text.hiddenSize ? 'embedded' : 'hidden');
  const shape = tokenShape(stage, text.family === 't5' ? 'decoder_ids' : 'positions');
  const tokens = module.node('Reshape', [hidden, shape]);
  const last = module.node('Gather', [tokens, module.graph.int64(-1)], { axis: { int: 1 } });
  const scaled = text.family === 't5' && text.scaleLogits;
  const rows = scaled ? module.node('Mul', [last, module.graph.float(text.hiddenSize ** -0.5)]) : last;
  stage.make('logits', linearProduct(module, rows, headTableName(stage)));
}
