import type { Block } from '../../../model/blocks.js';
import type { TextConfig } from '../../../model/language-config.js';
import { NOT_FINITE } from '../../generation/not-finite.js';
import { elementType } from '../../onnx/element-type.js';
import { Module } from '../module.js';
import type { StageBuilder } from '../stage-builder.js';
import { headTableName } from '../vocabulary.js';
import { textConfig } from '../wires.js';
import { castTo } from './casts.js';
import { namedProduct } from './gpu-product.js';

/**
 * `logits` of the last token in float32, and `next_ids`, the likeliest of each row, or -1 where the greatest logit is not
 * finite: comparing NaN with anything is false, and a device's search for the greatest ends at NaN where there is one.
 */
export function lowerGpuHead(stage: StageBuilder, block: Block): void {
  const text = textConfig(stage.config);
  const module = new Module(stage, block.name);
  const last = module.node('Gather', [stage.use(lastWire(text)), module.graph.int64s([-1])], { axis: { int: 1 } });
  const products = castTo(module, namedProduct(module, last, headTableName(stage)), 'F32');
  const logits = module.reshape(products, [-1, text.vocabSize]);
  const isScaled = text.family === 't5' && text.scaleLogits;
  const scaled = isScaled ? module.node('Mul', [logits, module.graph.float(text.hiddenSize ** -0.5)]) : logits;
  const likeliest = module.node('ArgMax', [scaled], { axis: { int: -1 }, keepdims: { int: 1 } });
  const ids = module.node('Cast', [likeliest], { to: { int: elementType('I32') } });
  const greatest = module.node('GatherElements', [scaled, ids], { axis: { int: -1 } });
  const isFinite = module.node('Less', [greatest, module.graph.float(Infinity)]);
  stage.make('logits', scaled);
  stage.make(
    'next_ids',
    module.node('Where', [isFinite, ids, module.graph.constant('none', 'I32', [], Int32Array.of(NOT_FINITE))]),
  );
}

/** What the decoder ends with. */
function lastWire(text: TextConfig): string {
  if (text.family === 't5') return 'decoded';
  return text.family === 'opt' && text.embedSize !== text.hiddenSize ? 'embedded' : 'hidden';
}
