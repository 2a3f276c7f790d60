/** A stacked bar of memory per device, with names and numbers under it. */
import { formatSize } from '../../../size.js';
import { budgetText, type BarSegment, type PictureData } from '../picture-data.js';
import { INNER, MARGIN, n, WIDTH, type Canvas } from './canvas.js';
import { fillOf, inkOn } from './colours.js';

export function memoryBars(canvas: Canvas, data: PictureData): void {
  canvas.section('Memory');
  const scale = INNER / Math.max(...data.bars.map((bar) => Math.max(bar.budgetBytes ?? 0, bar.usedBytes)), 1);
  for (const bar of data.bars) {
    canvas.y += 14;
    const budget = bar.budgetBytes === null ? '' : ` of ${budgetText(bar)}`;
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
          light ? 's' : typeof segment.fill === 'number' ? inkOn(segment.fill) : 's on',
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
