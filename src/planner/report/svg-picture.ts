/**
 * A plan as one SVG: bars of memory, the strip of execution, a treemap of bytes, and a sweep of budgets where there is
 * one. Colours follow the reader's light or dark theme and are light on paper; every colour is also said in words.
 */
import { formatSize } from '../size.js';
import type { PlanDocument } from '../plan/plan-document.js';
import type { SweepPoint } from '../plan/sweep.js';
import { pictureData, type BarSegment, type PictureData } from './picture-data.js';
import { formatMs } from './picture-text.js';
import { Canvas, INNER, MARGIN, n, WIDTH } from './svg-canvas.js';
import { treemap } from './treemap.js';

export interface Measurement {
  readonly label: string;
  readonly latencyMs: number;
  readonly gpuPeakBytes: number;
}

export interface PictureOptions {
  readonly sweep?: readonly SweepPoint[];
  readonly measured?: Measurement;
}

/** The palette of Okabe and Ito, which colour-blind readers can tell apart. */
const PART_COLOURS = ['#0072b2', '#cc79a7', '#e69f00', '#009e73', '#d55e00', '#56b4e9', '#8c6bb1', '#7f7f00'];

export function svgPicture(plan: PlanDocument, options: PictureOptions = {}): string {
  const data = pictureData(plan);
  const canvas = new Canvas();
  heading(canvas, plan);
  bars(canvas, data);
  strip(canvas, data);
  bytes(canvas, plan, data);
  if (options.sweep !== undefined && options.sweep.length > 1) sweepCurve(canvas, plan, options.sweep);
  if (options.measured !== undefined) comparison(canvas, plan, options.measured);
  return canvas.toSvg(`Placement of ${plan.checkpoint.id || 'a checkpoint'}`);
}

function heading(canvas: Canvas, plan: PlanDocument): void {
  const { workload: w, cost } = plan;
  canvas.y += 10;
  canvas.text(MARGIN, plan.checkpoint.id || 'checkpoint', 'h');
  canvas.y += 17;
  canvas.text(
    MARGIN,
    `${plan.dtype}, for ${plan.engine}: batch ${w.batch}, beams ${w.beams}, ${w.promptTokens} prompt and ${w.newTokens} new tokens`,
    's',
  );
  canvas.y += 17;
  canvas.text(
    MARGIN,
    `predicted ${formatMs(cost.latencyMs)}: pictures ${formatMs(cost.imageMs)}, prompt ${formatMs(cost.promptMs)}, tokens ${formatMs(cost.tokenMs)}, crossings ${formatMs(cost.crossingMs)}`,
    's',
  );
}

function bars(canvas: Canvas, data: PictureData): void {
  canvas.section('Memory');
  const scale = INNER / Math.max(...data.bars.map((bar) => Math.max(bar.budgetBytes ?? 0, bar.usedBytes)), 1);
  for (const bar of data.bars) {
    canvas.y += 14;
    const budget = bar.budgetBytes === null ? '' : ` of ${formatSize(bar.budgetBytes)}`;
    canvas.text(MARGIN, `${bar.name}: ${formatSize(bar.usedBytes)}${budget}`);
    canvas.y += 6;
    let x = MARGIN;
    for (const segment of bar.segments) {
      const width = segment.bytes * scale;
      canvas.rect(x, canvas.y, width, 22, fillOf(segment.fill), `${segment.label} ${formatSize(segment.bytes)}`);
      const light = segment.fill === 'free';
      if (width > 7 * segment.label.length + 6 && segment.fill !== 'reserve') {
        canvas.text(
          x + 5,
          segment.label,
          light ? 's' : typeof segment.fill === 'number' ? 'in' : 's on',
          'start',
          canvas.y + 15,
        );
      }
      x += width;
    }
    canvas.path(`M${MARGIN} ${canvas.y}h${n(x - MARGIN)}v22h${n(MARGIN - x)}z`, 'l');
    canvas.y += 22;
    canvas.y += legend(canvas, bar.segments, canvas.y + 14);
  }
}

/** Names and numbers under a bar, as many to a line as fit; returns the height taken. */
function legend(canvas: Canvas, segments: readonly BarSegment[], top: number): number {
  let x = MARGIN;
  let y = top;
  for (const segment of segments) {
    const text = `${segment.label} ${formatSize(segment.bytes)}`;
    const width = 6.1 * text.length + 24;
    if (x > MARGIN && x + width > WIDTH - MARGIN) {
      x = MARGIN;
      y += 16;
    }
    canvas.rect(x, y - 9, 10, 10, fillOf(segment.fill));
    canvas.text(x + 14, text, 's', 'start', y);
    x += width;
  }
  return y - top + 20;
}

function strip(canvas: Canvas, data: PictureData): void {
  canvas.section('In the order it runs');
  const left = MARGIN + 46;
  const cell = (WIDTH - MARGIN - left) / Math.max(1, data.cells.length);
  const laneHeight = 22;
  const top = canvas.y + 20;
  for (const span of spans(data.cells.map((each) => each.placement.phase))) {
    const x = left + span.start * cell;
    const width = (span.end - span.start) * cell;
    canvas.path(`M${n(x + 1)} ${n(top - 4)}h${n(width - 2)}`, 'i');
    const label = { image: 'once per picture', prompt: 'once per prompt', token: 'every token' }[span.value];
    if (width > 5.8 * label.length) canvas.text(x + width / 2, label, 's', 'middle', top - 8);
  }
  for (const [lane, name] of data.lanes.entries()) {
    const y = top + lane * (laneHeight + 4);
    canvas.text(MARGIN, name, '', 'start', y + 15);
    canvas.rect(left, y, WIDTH - MARGIN - left, laneHeight, 'var(--free)');
  }
  let crossings = 0;
  for (const [i, each] of data.cells.entries()) {
    const x = left + i * cell;
    const y = top + each.lane * (laneHeight + 4);
    const { block, execution, latencyMs, weightBytes } = each.placement;
    const tip = `${block}: ${execution}, ${formatSize(weightBytes)}, ${formatMs(latencyMs)}`;
    canvas.rect(x, y, cell * 0.96, laneHeight, partColour(each.part), tip);
    if (execution === 'streamed') canvas.rect(x, y, cell * 0.96, laneHeight, 'url(#stream)', tip);
    const before = data.cells[i - 1];
    if (before !== undefined && before.lane !== each.lane) {
      crossings += 1;
      const from = top + Math.min(before.lane, each.lane) * (laneHeight + 4);
      const to = top + Math.max(before.lane, each.lane) * (laneHeight + 4) + laneHeight;
      canvas.path(`M${n(x)} ${n(from - 2)}V${n(to + 3)}`, 'i');
    }
  }
  canvas.y = top + data.lanes.length * (laneHeight + 4) + 12;
  const streamed = data.cells.filter((each) => each.placement.execution === 'streamed').length;
  canvas.text(
    MARGIN,
    `${data.cells.length} blocks, ${streamed === 0 ? 'none' : `${streamed} (hatched)`} streamed; ${crossings === 0 ? 'no' : crossings} crossing${crossings === 1 ? '' : 's'} between devices`,
    's',
  );
}

function bytes(canvas: Canvas, plan: PlanDocument, data: PictureData): void {
  canvas.section('Where the bytes are');
  const area = { x: MARGIN, y: canvas.y + 4, width: INNER, height: 150 };
  const areas = treemap(
    data.parts.map((part) => part.weightBytes),
    area,
  );
  for (const [k, part] of data.parts.entries()) {
    const outer = areas[k];
    if (outer === undefined) continue;
    const cells = data.cells.filter((each) => each.part === part.index);
    const inner = treemap(
      cells.map((each) => each.placement.weightBytes),
      outer,
    );
    for (const [c, each] of cells.entries()) {
      const box = inner[c];
      if (box === undefined || box.width < 0.3 || box.height < 0.3) continue;
      const tip = `${each.placement.block} ${formatSize(each.placement.weightBytes)}, ${each.placement.execution}`;
      canvas.rect(
        box.x + 0.4,
        box.y + 0.4,
        box.width - 0.8,
        Math.max(0.1, box.height - 0.8),
        partColour(part.index),
        tip,
      );
      if (each.placement.execution !== 'resident') {
        canvas.rect(box.x + 0.4, box.y + 0.4, box.width - 0.8, Math.max(0.1, box.height - 0.8), 'url(#stream)', tip);
      }
    }
    const label = `${part.name} ${formatSize(part.weightBytes)}`;
    if (outer.width > 6.8 * label.length + 10 && outer.height > 22) {
      canvas.rect(outer.x + 3, outer.y + 3, 6.8 * label.length + 6, 17, partColour(part.index));
      canvas.text(outer.x + 6, label, 'in', 'start', outer.y + 15);
    }
  }
  canvas.y = area.y + area.height + 14;
  const away = plan.placements.some((placement) => placement.execution !== 'resident');
  const small = data.parts.filter(
    (part) => part.weightBytes < 0.02 * data.parts.reduce((sum, p) => sum + p.weightBytes, 0),
  );
  const rest = small.map((part) => `${part.name} ${formatSize(part.weightBytes)}`).join(', ');
  const note = [away ? 'hatched: not held by a GPU' : '', rest === '' ? '' : `too small to name: ${rest}`].filter(
    (t) => t !== '',
  );
  for (const line of note.flatMap((text) => lines(text, 80))) {
    canvas.text(MARGIN, line, 's');
    canvas.y += 15;
  }
}

function sweepCurve(canvas: Canvas, plan: PlanDocument, sweep: readonly SweepPoint[]): void {
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

function comparison(canvas: Canvas, plan: PlanDocument, measured: Measurement): void {
  canvas.section('Predicted and measured');
  const predictedBytes = plan.devices
    .filter((device) => typeof device.id === 'number')
    .reduce((sum, device) => sum + (device.budgetBytes ?? 0) - (device.freeBytes ?? 0), 0);
  const rows = [
    ['latency', plan.cost.latencyMs, measured.latencyMs, formatMs],
    ['GPU memory', predictedBytes, measured.gpuPeakBytes, formatSize],
  ] as const;
  for (const [name, predicted, actual, format] of rows) {
    const scale = (INNER - 175) / Math.max(predicted, actual, 1e-9);
    const off = actual === 0 ? '' : ` (${(100 * (predicted / actual - 1)).toFixed(0)} %)`;
    canvas.y += 16;
    canvas.text(MARGIN, name);
    for (const [label, value, colour] of [
      ['predicted', predicted, PART_COLOURS[0] ?? ''],
      [measured.label, actual, PART_COLOURS[4] ?? ''],
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

/** Breaks at blanks. */
function lines(text: string, columns: number): string[] {
  const rows: string[] = [];
  for (const word of text.split(' ')) {
    const last = rows.at(-1);
    if (last !== undefined && last.length + word.length < columns) rows[rows.length - 1] = `${last} ${word}`;
    else rows.push(word);
  }
  return rows;
}

function fillOf(fill: BarSegment['fill']): string {
  if (typeof fill === 'number') return partColour(fill);
  return {
    copies: '#b3a369',
    caches: '#9ecae1',
    buffers: '#c7c7c7',
    activations: '#f0e442',
    staging: '#fdae6b',
    overhead: '#9e9ac8',
    reserve: 'url(#reserve)',
    free: 'var(--free)',
  }[fill];
}

function partColour(part: number): string {
  return PART_COLOURS[part % PART_COLOURS.length] ?? '#000';
}

function spans<T>(values: readonly T[]): { value: T; start: number; end: number }[] {
  const found: { value: T; start: number; end: number }[] = [];
  for (const [i, value] of values.entries()) {
    const last = found.at(-1);
    if (last !== undefined && last.value === value) last.end = i + 1;
    else found.push({ value, start: i, end: i + 1 });
  }
  return found;
}
