import type { Block } from '../../../model/blocks.js';
import type { TextConfig } from '../../../model/language-config.js';
import type { StageBuilder } from '../stage-builder.js';
import { headTableName } from '../vocabulary.js';
import { textConfig } from '../wires.js';
import { castTo } from './casts.js';
import { namedProduct } from './gpu-product.js';

/** Logits of the last token in float32. */
export function lowerGpuHead(stage: StageBuilder, block: Block): void {
  const text = textConfig(stage.config);
  const module = stage.module(block.name);
  const last = module.node('Gather', [stage.use(lastWire(text)), module.graph.int64s([-1])], { axis: { int: 1 } });
  const products = castTo(module, namedProduct(module, last, headTableName(stage)), 'F32');
  const logits = module.reshape(products, [-1, text.vocabSize]);
  const isScaled = text.family === 't5' && text.scaleLogits;
  stage.make('logits', isScaled ? module.node('Mul', [logits, module.graph.float(text.hiddenSize ** -0.5)]) : logits);
}

/** What the decoder ends with. */
function lastWire(text: TextConfig): string {
  if (text.family === 't5') return 'decoded';
  return text.family === 'opt' && text.embedSize !== text.hiddenSize ? 'embedded' : 'hidden';
}
