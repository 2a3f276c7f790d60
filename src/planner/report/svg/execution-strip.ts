/** Every block in the order it runs, one lane per device, with the crossings between lanes. */
import type { PictureData } from '../picture-data.js';
import { placementTip } from '../placement-tip.js';
import { MARGIN, n, WIDTH, type Canvas } from './canvas.js';
import { FREE_COLOUR, fillsOf } from './colours.js';

export function executionStrip(canvas: Canvas, data: PictureData): void {
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
    canvas.rect(left, y, WIDTH - MARGIN - left, laneHeight, FREE_COLOUR);
  }
  let crossings = 0;
  for (const [i, each] of data.cells.entries()) {
    const x = left + i * cell;
    const y = top + each.lane * (laneHeight + 4);
    const tip = placementTip(each.placement, each.scheme);
    for (const fill of fillsOf(each, each.placement.execution === 'streamed'))
      canvas.rect(x, y, cell * 0.96, laneHeight, fill, tip);
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
  for (const text of data.quantized) {
    canvas.y += 15;
    canvas.text(MARGIN, `${text} (dotted)`, 's');
  }
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
