/**
 * How transformers' loader reads a map (`expand_device_map`, transformers 5): it joins the keys, unescaped, into one regular
 * expression, most dots and then longest first, and takes what matches at the start of a name. So "layers.1" also claims
 * "layers.10", and a key's "." any character.
 */

/** The text at the start of a name that the loader looks up in the map; undefined where no key matches. */
export type Claims = (name: string) => string | undefined;

/** Without these a key means itself, but for its dots. */
const SPECIAL = /[\\^$*+?()[\]{}|]/;

/** A key, and where its dots are. */
interface Key {
  readonly text: string;
  readonly dotsAt: readonly number[];
}

/** null where the keys make no expression, and loading fails. */
export function loaderClaims(keys: Iterable<string>): Claims | null {
  const sorted = [...keys]
    .map((text): Key => ({ text, dotsAt: dotsOf(text) }))
    .sort((a, b) => b.dotsAt.length - a.dotsAt.length || b.text.length - a.text.length);
  return sorted.some(({ text }) => SPECIAL.test(text)) ? claimsByExpression(sorted) : claimsByShape(sorted);
}

function claimsByExpression(sorted: readonly Key[]): Claims | null {
  try {
    const pattern = new RegExp(`^(?:${sorted.map(({ text }) => text).join('|')})`);
    return (name) => pattern.exec(name)?.[0];
  } catch {
    return null;
  }
}

/** Keys with dots in the same positions. */
interface Shape {
  readonly length: number;
  readonly dotsAt: readonly number[];
  readonly keys: Set<string>;
  /** Among all shapes, in the loader's order. */
  readonly rank: number;
}

/** For keys without special characters, in time that hardly grows with their number. */
function claimsByShape(sorted: readonly Key[]): Claims {
  // No dot comes before the end of the first part, so that a name has it literally.
  const byFirstPart = new Map<string, Map<string, Shape>>();
  let rank = 0;
  for (const { text, dotsAt } of sorted) {
    const part = text.slice(0, dotsAt[0]);
    let shapes = byFirstPart.get(part);
    if (shapes === undefined) byFirstPart.set(part, (shapes = new Map()));
    const label = `${text.length}:${dotsAt.join()}`;
    let shape = shapes.get(label);
    if (shape === undefined)
      shapes.set(label, (shape = { length: text.length, dotsAt, keys: new Set(), rank: rank++ }));
    shape.keys.add(text);
  }
  const parts = [...byFirstPart].map(([part, shapes]) => ({ part, shapes: [...shapes.values()] }));
  return (name) => {
    let first: Shape | undefined;
    for (const { part, shapes } of parts) {
      if (!name.startsWith(part)) continue;
      const claiming = shapes.find((shape) => claims(shape, name));
      if (claiming !== undefined && (first === undefined || claiming.rank < first.rank)) first = claiming;
    }
    return first === undefined ? undefined : name.slice(0, first.length);
  };
}

function claims({ length, dotsAt, keys }: Shape, name: string): boolean {
  if (length > name.length) return false;
  let start = name.slice(0, length);
  for (const at of dotsAt) {
    if (start[at] !== '.' && start[at] !== '\n') start = `${start.slice(0, at)}.${start.slice(at + 1)}`;
  }
  return keys.has(start);
}

function dotsOf(text: string): number[] {
  const found: number[] = [];
  for (let at = text.indexOf('.'); at !== -1; at = text.indexOf('.', at + 1)) found.push(at);
  return found;
}
