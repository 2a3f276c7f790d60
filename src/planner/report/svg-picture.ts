/**
 * A plan as one SVG: bars of memory, the strip of execution, a treemap of bytes, and a sweep of budgets where there is
 * one. Colours follow the reader's light or dark theme and are light on paper; every colour is also said in words.
 */
import type { PlanDocument } from '../plan/document/plan-document.js';
import type { SweepPoint } from '../plan/comparison/sweep.js';
import { pictureData } from './picture-data.js';
import { formatMs } from './format-ms.js';
import { bytesTreemap } from './svg/bytes-treemap.js';
import { Canvas, MARGIN } from './svg/canvas.js';
import { executionStrip } from './svg/execution-strip.js';
import { measuredComparison, type Measurement } from './svg/measured-comparison.js';
import { memoryBars } from './svg/memory-bars.js';
import { sweepCurve } from './svg/sweep-curve.js';

/** What a picture shows beside the plan: what `sweepBudgets` gives, and what was measured. */
export interface PictureOptions {
  readonly sweep?: readonly SweepPoint[];
  readonly measured?: Measurement;
}

/** @returns an SVG document that needs nothing else: memory by device, order of execution, bytes by part */
export function svgPicture(plan: PlanDocument, options: PictureOptions = {}): string {
  const data = pictureData(plan);
  const canvas = new Canvas();
  heading(canvas, plan);
  memoryBars(canvas, data);
  executionStrip(canvas, data);
  bytesTreemap(canvas, plan, data);
  if (options.sweep !== undefined && options.sweep.length > 1) sweepCurve(canvas, plan, options.sweep);
  if (options.measured !== undefined) measuredComparison(canvas, plan, options.measured);
  return canvas.toSvg(`Placement of ${plan.checkpoint.id || 'a checkpoint'}`);
}

function heading(canvas: Canvas, plan: PlanDocument): void {
  const { workload: w, cost } = plan;
  canvas.y += 10;
  canvas.text(MARGIN, plan.checkpoint.id || 'checkpoint', 'h');
  const lines = [
    `${plan.dtype}, for ${plan.engine}: batch ${w.batch}, beams ${w.beams}, ${w.promptTokens} prompt and ${w.newTokens} new tokens`,
    `predicted ${formatMs(cost.latencyMs)} a call: ${cost.imageMs === 0 ? '' : `pictures ${formatMs(cost.imageMs)}, `}prompt ${formatMs(cost.promptMs)},`,
    `tokens ${formatMs(cost.tokenMs)}, crossings ${formatMs(cost.crossingMs)}`,
  ];
  for (const line of lines) {
    canvas.y += 17;
    canvas.text(MARGIN, line, 's');
  }
}
