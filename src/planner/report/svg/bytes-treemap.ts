/** Where the bytes are: an area per block, grouped by the parts of the model. */
import { at } from '../../../checked-access.js';
import type { PlanDocument } from '../../plan/document/plan-document.js';
import { formatSize } from '../../../size.js';
import type { PictureData } from '../picture-data.js';
import { treemap, type Rectangle } from './treemap.js';
import { INNER, MARGIN, type Canvas } from './canvas.js';
import { fillsOf, inkOn, partColour } from './colours.js';

/** Height of a row of a label. */
const ROW = 17;

export function bytesTreemap(canvas: Canvas, plan: PlanDocument, data: PictureData): void {
  canvas.section('Where the bytes are');
  const area = { x: MARGIN, y: canvas.y + 4, width: INNER, height: 150 };
  const areas = treemap(
    data.parts.map((part) => part.weightBytes),
    area,
  );
  const unnamed: string[] = [];
  for (const [k, part] of data.parts.entries()) {
    const outer = at(areas, k);
    const cells = data.cells.filter((each) => each.part === part.index);
    const inner = treemap(
      cells.map((each) => each.placement.weightBytes),
      outer,
    );
    for (const [c, each] of cells.entries()) {
      const box = at(inner, c);
      if (box.width < 0.3 || box.height < 0.3) continue;
      const tip = `${each.placement.block} ${formatSize(each.placement.weightBytes)}, ${each.placement.execution}`;
      for (const fill of fillsOf(each, each.placement.execution !== 'resident'))
        canvas.rect(box.x + 0.4, box.y + 0.4, box.width - 0.8, Math.max(0.1, box.height - 0.8), fill, tip);
    }
    const label = labelIn(outer, part.name, formatSize(part.weightBytes));
    if (label === null) unnamed.push(`${part.name} ${formatSize(part.weightBytes)}`);
    for (const [row, text] of (label ?? []).entries()) {
      canvas.rect(outer.x + 3, outer.y + 3 + ROW * row, textWidth(text) + 6, ROW, partColour(part.index));
      canvas.text(outer.x + 6, text, inkOn(part.index), 'start', outer.y + 15 + ROW * row);
    }
  }
  canvas.y = area.y + area.height + 14;
  const away = plan.placements.some((placement) => placement.execution !== 'resident');
  const dotted = data.quantized.length === 0 ? '' : 'dotted: quantised';
  const note = [
    away ? 'hatched: not held by a GPU' : '',
    dotted,
    unnamed.length === 0 ? '' : `too small to name: ${unnamed.join(', ')}`,
  ].filter((t) => t !== '');
  for (const line of note.flatMap((text) => lines(text, 80))) {
    canvas.text(MARGIN, line, 's');
    canvas.y += 15;
  }
}

/** The rows of a name and a size that an area has room for: side by side, or one below the other; null for neither. */
function labelIn(area: Rectangle, name: string, size: string): readonly string[] | null {
  const fits = (rows: readonly string[]) =>
    area.height > ROW * rows.length + 5 && rows.every((row) => area.width > textWidth(row) + 10);
  return [[`${name} ${size}`], [name, size]].find(fits) ?? null;
}

/** Of small bold text, in the widest of the usual fonts. */
function textWidth(text: string): number {
  return 6.8 * text.length;
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
