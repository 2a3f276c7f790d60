/** Squarified treemap (Bruls, Huizing and van Wijk, 2000): rectangles in proportion, as square as rows allow. */
export interface Rectangle {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

/** A rectangle per size, in the order given; sizes that are not positive get an empty one. */
export function treemap(sizes: readonly number[], area: Rectangle): Rectangle[] {
  const total = sizes.reduce((sum, size) => sum + Math.max(0, size), 0);
  const result: Rectangle[] = sizes.map(() => ({ x: area.x, y: area.y, width: 0, height: 0 }));
  if (total <= 0) return result;
  const unit = (area.width * area.height) / total;
  const order = sizes
    .map((size, index) => ({ index, area: Math.max(0, size) * unit }))
    .filter((each) => each.area > 0)
    .sort((a, b) => b.area - a.area || a.index - b.index);
  let { x, y, width, height } = area;
  let start = 0;
  while (start < order.length) {
    const side = Math.min(width, height);
    let end = start + 1;
    while (end < order.length && worst(order.slice(start, end + 1), side) <= worst(order.slice(start, end), side))
      end += 1;
    const row = order.slice(start, end);
    const sum = row.reduce((total_, each) => total_ + each.area, 0);
    const depth = side === 0 ? 0 : sum / side;
    let offset = 0;
    for (const each of row) {
      const length = sum === 0 ? 0 : (each.area / sum) * side;
      result[each.index] =
        width >= height
          ? { x, y: y + offset, width: depth, height: length }
          : { x: x + offset, y, width: length, height: depth };
      offset += length;
    }
    if (width >= height) {
      x += depth;
      width -= depth;
    } else {
      y += depth;
      height -= depth;
    }
    start = end;
  }
  return result;
}

/** The largest ratio of sides in a row. */
function worst(row: readonly { readonly area: number }[], side: number): number {
  let sum = 0;
  let most = 0;
  let least = Infinity;
  for (const { area } of row) {
    sum += area;
    most = Math.max(most, area);
    least = Math.min(least, area);
  }
  return Math.max((side * side * most) / (sum * sum), (sum * sum) / (side * side * least));
}
