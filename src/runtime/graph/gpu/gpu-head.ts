import type { Block } from '../../../model/blocks.js';
import type { StageBuilder } from '../stage-builder.js';
import { headTableName } from '../vocabulary.js';
import { textConfig } from '../wires.js';
import { castTo } from './casts.js';
import { namedProduct } from './gpu-module.js';

/** Logits of the last token in float32. */
export function lowerGpuHead(stage: StageBuilder, block: Block): void {
  const text = textConfig(stage.config);
  const module = stage.module(block.name);
  const isProjected = text.family === 'opt' && text.embedSize !== text.hiddenSize;
  const rows = stage.use(isProjected ? 'embedded' : 'hidden');
  const last = module.node('Gather', [rows, module.graph.int64(-1)], { axis: { int: 1 } });
  stage.make('logits', castTo(module, namedProduct(module, last, headTableName(stage)), 'F32'));
}
