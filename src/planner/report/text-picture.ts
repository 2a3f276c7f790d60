/** A plan as lines of text: a stacked bar per device, and a strip in the order blocks run. */
import { formatSize } from '../../size.js';
import type { PlanDocument } from '../plan/document/plan-document.js';
import { budgetText, pictureData, type BarSegment, type DeviceBar, type StripCell } from './picture-data.js';

/** How wide, and in which colours. */
export interface TextPictureOptions {
  /** Columns. */
  readonly width: number;
  /** Wraps text in a colour of the terminal; the letters alone carry the meaning as well. */
  readonly paint?: (text: string, colour: number) => string;
}

/** One letter per part of the model, so that the picture needs no colour. */
const LETTERS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ';
const MARKS: Readonly<Record<Exclude<BarSegment['fill'], number>, string>> = {
  copies: '=',
  caches: 'k',
  buffers: 'b',
  activations: 'a',
  staging: 's',
  overhead: 'o',
  reserve: 'x',
  free: '.',
};

/** @returns lines for a terminal: a bar of memory for each device, and a strip in the order in which blocks run */
export function textPicture(plan: PlanDocument, { width, paint = (text) => text }: TextPictureOptions): string {
  const data = pictureData(plan);
  const columns = Math.max(20, width - 8);
  const scale = Math.max(...data.bars.map((bar) => Math.max(bar.budgetBytes ?? 0, bar.usedBytes)), 1);
  const mark = (fill: BarSegment['fill']) => (typeof fill === 'number' ? (LETTERS[fill] ?? '?') : MARKS[fill]);
  const colour = (fill: BarSegment['fill']) => (typeof fill === 'number' ? fill : -1);
  const lines: string[] = [];
  for (const bar of data.bars) {
    lines.push(
      `${bar.name.padEnd(7)} ${barText(bar, columns, scale, (fill, n) => paint(mark(fill).repeat(n), colour(fill)))}`,
    );
    lines.push(`        ${formatSize(bar.usedBytes)} used of ${budgetText(bar)}`);
  }
  lines.push('', 'in the order it runs (UPPER resident or on the CPU, lower streamed, | a crossing):');
  for (const [lane, name] of data.lanes.entries()) {
    lines.push(
      ...wrapped(strip(data.cells, lane), columns).map((row, i) => `${(i === 0 ? name : '').padEnd(7)} ${row}`),
    );
  }
  lines.push(
    '',
    data.parts.map((part) => `${mark(part.index)} ${part.name} ${formatSize(part.weightBytes)}`).join('   '),
  );
  lines.push(...data.quantized);
  lines.push('k caches   a activations   s staging   o overhead   = float32 copies   x reserve   . free');
  return lines.join('\n');
}

function barText(
  bar: DeviceBar,
  columns: number,
  scale: number,
  draw: (fill: BarSegment['fill'], length: number) => string,
): string {
  let bytes = 0;
  let drawn = 0;
  let text = '';
  for (const segment of bar.segments) {
    bytes += segment.bytes;
    // Rounding the running sum keeps the bar's length true; what is there shows at least once.
    const end = Math.max(Math.round((columns * bytes) / scale), segment.fill === 'free' ? drawn : drawn + 1);
    if (end > drawn) text += draw(segment.fill, end - drawn);
    drawn = Math.max(drawn, end);
  }
  return `[${text}]`;
}

/** One character per block in its own lane, blanks elsewhere, a bar where work changes device. */
function strip(cells: readonly StripCell[], lane: number): string {
  let text = '';
  let before: number | null = null;
  for (const cell of cells) {
    if (before !== null && cell.lane !== before) text += '|';
    const letter = LETTERS[cell.part] ?? '?';
    if (cell.lane !== lane) text += ' ';
    else text += cell.placement.execution === 'streamed' ? letter.toLowerCase() : letter;
    before = cell.lane;
  }
  return text;
}

function wrapped(text: string, columns: number): string[] {
  const rows: string[] = [];
  for (let at = 0; at < text.length; at += columns) rows.push(text.slice(at, at + columns));
  return rows;
}
