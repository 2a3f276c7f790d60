/**
 * States between steps: the device of the last item, and those of earlier items that a later one still refers to. Two
 * devices at most, numbered 0 and 1.
 */

/** How a step hangs together with earlier ones. */
export interface Link {
  /** Whether it is one item, which cannot begin on one device and end on the other. */
  readonly single: boolean;
  /** The step whose device it must share. */
  readonly sameAs: number | null;
  readonly inputs: readonly { readonly from: number; readonly toll: number }[];
}

/** A way from one state to the next. */
export interface Arc {
  readonly to: number;
  readonly path: number;
  /** Of entering the step. */
  readonly cost: number;
}

/** First and last device of a step, by path. The first two are those of a single item. */
export const PATHS = [
  [0, 0],
  [1, 1],
  [0, 1],
  [1, 0],
] as const;

const MOST_STATES = 64;

/** `[step][state before it]`; null where states become too many. */
export function arcsOf(links: readonly Link[], devices: number): Arc[][][] | null {
  const until: number[] = [];
  for (const [s, { sameAs, inputs }] of links.entries()) {
    if (sameAs !== null) until[sameAs] = s;
    for (const { from } of inputs) until[from] = s;
  }
  const arcs: Arc[][][] = [];
  let names: number[] = [];
  let states: number[][] = [[]];
  for (const [s, link] of links.entries()) {
    const after = [s, ...names.filter((step) => (until[step] ?? -1) > s)];
    const numbers = new Map<string, number>();
    const reached: number[][] = [];
    const own = states.map((state) => {
      const deviceOf = (step: number): number => state[names.indexOf(step)] ?? 0;
      const ways: Arc[] = [];
      for (const [path, [first, last]] of PATHS.entries()) {
        if (Math.max(first, last) >= devices || (link.single && first !== last)) continue;
        if (link.sameAs !== null && deviceOf(link.sameAs) !== first) continue;
        const cost = link.inputs.reduce((sum, { from, toll }) => (deviceOf(from) === first ? sum : sum + toll), 0);
        const next = after.map((step) => (step === s ? last : deviceOf(step)));
        const key = next.join('');
        const to = numbers.get(key) ?? numbers.size;
        if (to === numbers.size) {
          numbers.set(key, to);
          reached.push(next);
        }
        ways.push({ to, path, cost });
      }
      return ways;
    });
    if (reached.length > MOST_STATES) return null;
    arcs.push(own);
    names = after;
    states = reached;
  }
  return arcs;
}
