/** Where buffers are that no file holds: on the device that runs their module. */
import { longestPrefix } from '../../map/longest-prefix.js';
import { parentOf, pathsAbove } from '../../map/module-paths.js';
import type { LoadedModel } from '../../models/loaded-model.js';
import { instancesOf, unsavedBytes } from '../../models/unsaved-buffers.js';
import type { LoadedGroups } from './loaded-groups.js';

export interface UnsavedPlaces {
  /** Group -> bytes of those in it or beside it. */
  readonly bytes: ReadonlyMap<string, number>;
  /** Key of one that is in no group, and that no other key brings to a GPU -> the group beside it. */
  readonly beside: ReadonlyMap<string, string>;
  /** The same for what 5.24 brings there itself and earlier releases do not. */
  readonly frequencies: ReadonlyMap<string, string>;
  /** Groups that hold one which only a key for the whole group brings to a GPU. */
  readonly inside: ReadonlySet<string>;
}

/**
 * Modules that hold frequencies and nothing else. transformers 5.24 brings what they make to where it is read; earlier ones (5.17's Qwen2.5-VL)
 * leave it where the frequencies are.
 */
const FREQUENCIES = /(^|\.)rotary\w*$/;

/**
 * @param emptyModules modules without weights that are in no group
 * @param elementBytes of the dtype in which the model is loaded
 */
export function unsavedPlaces(
  model: LoadedModel,
  groups: LoadedGroups,
  emptyModules: readonly string[],
  elementBytes: number,
): UnsavedPlaces {
  const { cls, config, tensors } = model;
  const bytes = new Map<string, number>();
  const beside = new Map<string, string>();
  const frequencies = new Map<string, string>();
  const inside = new Set<string>();
  const names = new Map(groups.groups.map(({ name }) => [name, name]));
  const modules = pathsAbove(tensors.keys());
  for (const buffer of cls.unsaved) {
    const size = unsavedBytes(buffer, config, elementBytes);
    for (const path of instancesOf(buffer, modules)) {
      const own = longestPrefix(names, path);
      const group = own ?? groupBeside(path, groups, model);
      if (group === undefined) continue;
      bytes.set(group, (bytes.get(group) ?? 0) + size);
      if (!buffer.needsPlace) continue;
      if (own === undefined) beside.set(path, group);
      else inside.add(own);
    }
  }
  for (const path of emptyModules.filter(
    (each) => FREQUENCIES.test(each) && !each.includes('*') && !beside.has(each),
  )) {
    const group = groupBeside(path, groups, model);
    if (group !== undefined) frequencies.set(path, group);
  }
  return { bytes, beside, frequencies, inside };
}

/** What runs first of the module that holds it: its result is read with what that makes. */
export function groupBeside(
  path: string,
  { groups, aliases }: LoadedGroups,
  { tree }: LoadedModel,
): string | undefined {
  const homes = [...groups.map(({ name }): [string, string] => [name, name]), ...aliases];
  for (let above = parentOf(path); ; above = parentOf(above)) {
    const inside = homes.filter(([name]) => above === '' || name.startsWith(`${above}.`));
    const [first, ...others] = inside.map(([name, home]) => ({ home, order: tree.order(name) }));
    if (first !== undefined)
      return others.reduce((best, each) => (isBefore(each.order, best.order) ? each : best), first).home;
    if (above === '') return undefined;
  }
}

function isBefore(one: readonly number[], other: readonly number[]): boolean {
  for (const [i, at] of one.entries()) {
    const against = other[i];
    if (against === undefined || at !== against) return against !== undefined && at < against;
  }
  return false;
}
