/** Predicted latency against memory per GPU. */
import type { PlanDocument } from '../../plan/document/plan-document.js';
import type { SweepPoint } from '../../plan/comparison/sweep.js';
import { formatSize } from '../../../size.js';
import { formatMs } from '../format-ms.js';
import { MARGIN, n, WIDTH, type Canvas } from './canvas.js';

export function sweepCurve(canvas: Canvas, plan: PlanDocument, sweep: readonly SweepPoint[]): void {
  canvas.section('What more memory would buy');
  const points = sweep.flatMap((point) => (point.latencyMs === null ? [] : [{ ...point, latencyMs: point.latencyMs }]));
  const [first] = points;
  const last = points.at(-1);
  if (first === undefined || last === undefined) return;
  const left = MARGIN + 46;
  const right = WIDTH - MARGIN;
  const top = canvas.y + 12;
  const height = 130;
  const bottom = top + height;
  const span = Math.max(1, last.gpuBytes - first.gpuBytes);
  const x = (bytes_: number) => left + ((right - left) * (bytes_ - first.gpuBytes)) / span;
  const most = Math.max(...points.map((point) => point.latencyMs));
  const y = (ms: number) => bottom - (height * ms) / most;
  canvas.path(`M${left} ${top}V${bottom}H${right}`, 'l');
  canvas.text(left - 6, formatMs(most), 's', 'end', top + 4);
  canvas.text(left - 6, '0', 's', 'end', bottom);
  let d = `M${n(x(first.gpuBytes))} ${n(y(first.latencyMs))}`;
  for (const point of points.slice(1)) d += `H${n(x(point.gpuBytes))}V${n(y(point.latencyMs))}`;
  canvas.path(d, 'i');
  let labelY = top + 14;
  for (const point of points) {
    if (point.step === null) continue;
    canvas.path(`M${n(x(point.gpuBytes))} ${n(y(point.latencyMs))}V${n(labelY + 2)}`, 'l');
    const onRight = x(point.gpuBytes) > (left + right) / 2;
    canvas.text(x(point.gpuBytes) + (onRight ? -3 : 3), point.step, 's', onRight ? 'end' : 'start', labelY);
    labelY += 15;
  }
  const budget = plan.devices.find((device) => typeof device.id === 'number')?.budgetBytes ?? null;
  if (budget !== null && budget >= first.gpuBytes && budget <= last.gpuBytes) {
    canvas.path(`M${n(x(budget))} ${top}V${bottom}`, 'i');
    canvas.text(x(budget), 'this plan', 's', 'middle', top - 3);
  }
  canvas.text(left, formatSize(first.gpuBytes), 's', 'start', bottom + 14);
  canvas.text(right, `${formatSize(last.gpuBytes)} per GPU`, 's', 'end', bottom + 14);
  canvas.y = bottom + 18;
}
