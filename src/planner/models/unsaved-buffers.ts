/** Buffers that a class makes itself, such as masks and tables of positions: no file holds them (`scripts/unsaved_buffers.py`). */
import { asConfig, numberOf, type AnyConfig } from './model-config.js';

/** A buffer that no file holds. */
export interface UnsavedBuffer {
  /** The key that a map may have for it: of its module where that holds nothing else. Numbers of lists are "*". */
  readonly name: string;
  /** Whether its module reads it where it is, so that a map has to place it. */
  readonly needsPlace: boolean;
  /** null for the bytes of the model's dtype. */
  readonly elementBytes: number | null;
  /** Their product is the number of elements. */
  readonly factors: readonly Factor[];
}

/** `(scale x field + added) ^ power`; null for the number `added`. */
interface Factor {
  readonly field: string | null;
  readonly byDefault: number;
  readonly scale: number;
  readonly added: number;
  readonly power: number;
}

const FACTOR = /^(?:(\d+)\*)?([a-z_][\w.]*)=(\d+)([+-]\d+)?(?:\^(-?\d+))?$/i;

/** `name unit factor factor`, or `name` of one that is too small to count; "!" behind the name of one that needs a place */
export function readUnsavedBuffer(row: string): UnsavedBuffer {
  const [key = '', unit = '0', ...factors] = row.split(' ');
  return {
    name: key.replace(/!$/, ''),
    needsPlace: key.endsWith('!'),
    elementBytes: unit === 'd' ? null : Number(unit),
    factors: factors.map(readFactor),
  };
}

function readFactor(text: string): Factor {
  const found = FACTOR.exec(text);
  if (found === null) return { field: null, byDefault: 0, scale: 0, added: Number(text), power: 1 };
  const [, scale = '1', field = '', byDefault, added = '0', power = '1'] = found;
  return { field, byDefault: Number(byDefault), scale: Number(scale), added: Number(added), power: Number(power) };
}

/** Its names in a model with these modules: one for each that its lists have. */
export function instancesOf({ name }: UnsavedBuffer, modules: Iterable<string>): string[] {
  const end = name.lastIndexOf('*') + 1;
  if (end === 0) return [name];
  const list = new RegExp(`^${name.slice(0, end).replaceAll('.', '\\.').replaceAll('*', '\\d+')}$`);
  return [...modules].filter((path) => list.test(path)).map((path) => path + name.slice(end));
}

/** @param modelBytes of an element of the model's dtype */
export function unsavedBytes({ elementBytes, factors }: UnsavedBuffer, config: AnyConfig, modelBytes: number): number {
  const elements = factors.reduce((product, factor) => product * valueOf(factor, config), 1);
  return Math.round(elements) * (elementBytes ?? modelBytes);
}

function valueOf({ field, byDefault, scale, added, power }: Factor, config: AnyConfig): number {
  if (field === null) return added;
  const parts = field.split('.');
  const last = parts.pop() ?? field;
  const part = parts.reduce((above, name) => asConfig(above[name]), config);
  return (scale * (numberOf(part, last) ?? byDefault) + added) ** power;
}
