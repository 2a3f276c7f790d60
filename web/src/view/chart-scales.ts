/** Where times and sizes stand along the axes of a chart, and the round ones that are written there. */

export interface Scale {
  readonly ticks: readonly number[];
  /** In CSS pixels. */
  readonly at: (value: number) => number;
}

/** Between two places, in CSS pixels. */
interface Span {
  readonly from: number;
  readonly to: number;
}

/** From fine to coarse; of a range of two to one the first has two at least. */
const DIGITS = [[1, 1.5, 2, 3, 4, 5, 6, 7, 8, 9], [1, 2, 5], [1]];
/** That there is room for. */
const MOST_TICKS = 7;

/** Logarithmic, the longest first: a step that halves the time is as high wherever it is. In ms. */
export function timeScale(times: readonly number[], { from, to }: Span): Scale {
  if (times.length === 0) return { ticks: [], at: () => from };
  const most = 1.05 * Math.max(...times);
  const least = Math.min(Math.min(...times) / 1.15, most / 2);
  const at = (ms: number) => from + ((to - from) * Math.log(most / ms)) / Math.log(most / least);
  const within = DIGITS.map((digits) => decades(digits).filter((ms) => ms >= least && ms <= most));
  return { ticks: within.find((ticks) => ticks.length <= MOST_TICKS) ?? within.at(-1) ?? [], at };
}

function decades(digits: readonly number[]): number[] {
  return [-1, 0, 1, 2, 3, 4, 5, 6].flatMap((power) => digits.map((digit) => Number(`${digit}e${power}`)));
}

/** Both ends are written, and round sizes between them where there is room. In bytes. */
export function sizeScale(least: number, most: number, { from, to }: Span): Scale {
  const at = (bytes: number) => from + ((to - from) * (bytes - least)) / (most - least);
  const room = Math.max(1, Math.floor((to - from) / TICK_PIXELS));
  const step = 2 ** Math.ceil(Math.log2((most - least) / room));
  const between: number[] = [];
  for (let bytes = Math.ceil(least / step) * step; bytes < most; bytes += step) {
    if (at(bytes) - from > TICK_PIXELS && to - at(bytes) > TICK_PIXELS) between.push(bytes);
  }
  return { ticks: [least, ...between, most], at };
}

/** Between the middles of two sizes that are written. */
const TICK_PIXELS = 84;
