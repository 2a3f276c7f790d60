/** Lists of modules that config.json counts, such as layers, and those that files hold (`scripts/counted_lists.py`). */
import type { TensorInfo, TensorTable } from '../../tensor/tensor-info.js';
import { holesIn, holesNote, LIST_ENDS, type ListEnd } from './layer-holes.js';
import { asConfig, textConfig, type AnyConfig } from './model-config.js';

/** A list of modules, and the field that counts its members: of a part, by its path. */
export interface CountedList {
  readonly path: string;
  readonly field: string;
  /** Members beyond those that the field counts. */
  readonly added: number;
  /** Members that do without something that the others have, by design. */
  readonly lesserEnds: readonly ListEnd[];
}

/** `path field` or `path field+1`, and ends that do without something */
export function readCountedList(row: string): CountedList {
  const [path = '', counted = '', ...ends] = row.split(' ');
  const [, field = counted, added = '0'] = /^(.*?)([+-]\d+)$/.exec(counted) ?? [];
  return { path, field, added: Number(added), lesserEnds: LIST_ENDS.filter((end) => ends.includes(end)) };
}

export interface CountedLayers {
  /** What to know of counts that are none: the classes of transformers' configurations check the types of their fields. */
  readonly warnings: readonly string[];
  /** Whether a tensor is of a member behind the last that is counted, as for predicting several tokens: those are not built. */
  readonly isBeyond: (name: string) => boolean;
  /**
   * What transformers makes where more are counted than the files hold: its tensors, like those of a member that is there.
   * @param tied names of tensors that share the memory of others
   * @param isPlain whether all tensors are the class's own: what is packed differs by layer
   */
  readonly made: (tensors: TensorTable, tied?: readonly string[], isPlain?: boolean) => MadeLayers;
}

export interface MadeLayers {
  readonly tensors: TensorTable;
  readonly warnings: readonly string[];
}

/** More than any model has; what counts more than that is no count. */
const MOST = 1000;

export function countedLayers(lists: readonly CountedList[], config: AnyConfig): CountedLayers {
  const counts = lists.flatMap((list) => {
    const { count, part } = countIn(config, list);
    return count === null ? [] : [{ ...list, count, part, start: `${list.path}.` }];
  });
  const refused = lists.flatMap(({ field }) => refusal(config, field) ?? []);
  return {
    warnings: [...new Set(refused)],
    isBeyond: (name) => counts.some(({ start, count }) => name.startsWith(start) && numberIn(name, start) >= count),
    made(tensors, tied = [], isPlain = true) {
      const made = new Map<string, TensorInfo>();
      const warnings: string[] = [];
      for (const { path, start, count, part, lesserEnds } of counts) {
        const members = membersOf([...tensors.keys(), ...tied], start);
        const holes = isPlain ? holesIn(members, part, { start, lesserEnds }) : [];
        for (const { name, like } of holes) {
          const info = tensors.get(like);
          if (info !== undefined) made.set(name, info);
        }
        const lacked = holes.filter(({ name }) => made.has(name));
        if (lacked.length > 0) warnings.push(holesNote(lacked));
        if (members.size === 0 || members.size >= count) continue;
        const isMany = count > MOST;
        warnings.push(
          `config.json counts ${count} layers in ${path}, the files hold ${members.size}: transformers makes up the others` +
            (isMany ? ', for which this plan has no bytes and no keys.' : ', at random; this plan counts them.'),
        );
        if (isMany) continue;
        for (let at = 0; at < count; at++) {
          if (members.has(at)) continue;
          for (const name of members.get(likest(at, members, part)) ?? []) {
            const info = tensors.get(name);
            if (info !== undefined) made.set(start + String(at) + name.slice(name.indexOf('.', start.length)), info);
          }
        }
      }
      return { tensors: made, warnings };
    },
  };
}

/** null where config.json does not say: what is the default depends on the kinds of its parts. Less than none are none. */
function countIn(config: AnyConfig, { field, added }: CountedList): { count: number | null; part: AnyConfig } {
  const { part, value } = valueAt(config, field);
  const isCount = typeof value === 'number' && Number.isInteger(value);
  // BridgeTower builds one less where it is told to.
  const removed = part['remove_last_layer'] === true ? 1 : 0;
  return { count: isCount ? Math.max(0, value + added - removed) : null, part };
}

function valueAt(config: AnyConfig, field: string): { part: AnyConfig; value: unknown } {
  const parts = field.split('.');
  const last = parts.pop() ?? field;
  const part = parts.reduce((above, name) => partOf(above, name), config);
  return { part, value: part[last] };
}

/** Of text, a fraction, and so on; some fields may be null. */
function refusal(config: AnyConfig, field: string): string | null {
  const { value } = valueAt(config, field);
  if (value === undefined || value === null || Number.isInteger(value)) return null;
  return `config.json has ${field} as ${JSON.stringify(value)}, which transformers refuses where its class has that field: it wants a whole number.`;
}

/** Older files have the language model's fields elsewhere, or beside the others. */
function partOf(above: AnyConfig, name: string): AnyConfig {
  return name === 'text_config' && above[name] === undefined ? textConfig(above) : asConfig(above[name]);
}

const numberIn = (name: string, start: string): number => Number.parseInt(name.slice(start.length), 10);

/** Number of a member -> the tensors that it holds. */
function membersOf(names: readonly string[], start: string): Map<number, string[]> {
  const members = new Map<number, string[]>();
  for (const name of names) {
    if (!name.startsWith(start)) continue;
    const at = numberIn(name, start);
    if (Number.isNaN(at)) continue;
    const known = members.get(at);
    if (known === undefined) members.set(at, [name]);
    else known.push(name);
  }
  return members;
}

/** The nearest member of the same kind, where kinds are said, or of any. */
function likest(at: number, members: ReadonlyMap<number, unknown>, { layer_types: kinds }: AnyConfig): number {
  const kindOf = (index: number): unknown => (Array.isArray(kinds) ? kinds[index] : undefined);
  const alike = [...members.keys()].filter((each) => kindOf(each) === kindOf(at));
  const among = alike.length > 0 ? alike : [...members.keys()];
  return among.reduce((best, each) => (Math.abs(each - at) < Math.abs(best - at) ? each : best));
}
