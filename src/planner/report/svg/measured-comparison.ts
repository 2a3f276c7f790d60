/** Predicted latency and memory beside what was measured. */
import type { PlanDocument } from '../../plan/document/plan-document.js';
import { formatSize } from '../../../size.js';
import { formatMs } from '../format-ms.js';
import { INNER, MARGIN, type Canvas } from './canvas.js';
import { PART_COLOURS } from './colours.js';

/** What a plan was measured to take, beside what was predicted; `latencyMs` is of a call. */
export interface Measurement {
  readonly label: string;
  readonly latencyMs: number;
  /** null where nobody looked. */
  readonly gpuPeakBytes: number | null;
}

export function measuredComparison(canvas: Canvas, plan: PlanDocument, measured: Measurement): void {
  canvas.section('Predicted and measured');
  const predictedBytes = plan.devices
    .filter((device) => typeof device.id === 'number')
    .reduce((sum, device) => sum + (device.budgetBytes ?? 0) - (device.freeBytes ?? 0), 0);
  const rows: [string, number, number, (value: number) => string][] = [
    ['latency', plan.cost.latencyMs, measured.latencyMs, formatMs],
  ];
  if (measured.gpuPeakBytes !== null) rows.push(['GPU memory', predictedBytes, measured.gpuPeakBytes, formatSize]);
  for (const [name, predicted, actual, format] of rows) {
    const scale = (INNER - 175) / Math.max(predicted, actual, 1e-9);
    const off = actual === 0 ? '' : ` (${(100 * (predicted / actual - 1)).toFixed(0)} %)`;
    canvas.y += 16;
    canvas.text(MARGIN, name);
    for (const [label, value, colour] of [
      ['predicted', predicted, PART_COLOURS[0]],
      [measured.label, actual, PART_COLOURS[4]],
    ] as const) {
      canvas.y += 5;
      canvas.rect(MARGIN, canvas.y, value * scale, 14, colour);
      canvas.text(
        MARGIN + value * scale + 5,
        `${label} ${format(value)}${label === 'predicted' ? off : ''}`,
        's',
        'start',
        canvas.y + 11,
      );
      canvas.y += 14;
    }
  }
}
