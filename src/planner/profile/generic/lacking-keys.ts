/** What a class has by its default configuration and no file holds: `from_pretrained` makes it, and refuses a map without a device for it. */
import { longestPrefix } from '../../map/longest-prefix.js';
import { pathsAbove } from '../../map/module-paths.js';
import type { LoadedModel } from '../../models/loaded-model.js';
import type { ModuleNode } from '../../models/read-model-table.js';
import type { LoadedGroups } from './loaded-groups.js';
import { groupBeside } from './unsaved-places.js';

/**
 * Module, or parameter of one that has others -> the group beside it. Where the configuration does without, its key claims nothing,
 * and transformers takes it. Members of lists are not looked at: they need not be alike.
 */
export function lackingKeys(model: LoadedModel, groups: LoadedGroups): Map<string, string> {
  const { tensors, ties, tree } = model;
  const held = [...tensors.keys(), ...ties.flat()];
  const known = new Set([...held, ...pathsAbove(held)]);
  const keyed = new Map([...groups.groups.map(({ name }) => name), ...groups.aliases.keys()].map((key) => [key, key]));
  const hasParameters = (node: ModuleNode) => [...node.tensors.keys()].some((name) => !node.buffers.has(name));
  const lacking: string[] = [];
  const collect = (node: ModuleNode, above: string): void => {
    for (const name of node.tensors.keys())
      if (!node.buffers.has(name) && !known.has(above + name)) lacking.push(above + name);
    for (const name of node.children.keys()) {
      if (name === '*') continue;
      const path = above + name;
      const child = tree.along(path).at(-1);
      if (child === undefined || !tree.some(child, hasParameters)) continue;
      if (known.has(path)) collect(child, `${path}.`);
      else lacking.push(path);
    }
  };
  collect(tree.root, '');
  return new Map(
    lacking.flatMap((path): [string, string][] => {
      const group = longestPrefix(keyed, path) === undefined ? groupBeside(path, groups, model) : undefined;
      return group === undefined ? [] : [[path, group]];
    }),
  );
}

/** @param lacking modules and parameters of which nothing else is known */
export function lackingNotes(lacking: readonly string[], { cls, tensors, unread }: LoadedModel): string[] {
  const made = unread.filter((name) => tensors.has(name));
  return [
    ...noteOf(made, cls.name, (them) => `transformers makes ${them} anew, at random, and this plan counts ${them}.`),
    ...noteOf(lacking, cls.name, (them) => {
      const where = `where this model has ${them}, transformers makes ${them} anew.`;
      return `${where} This plan has keys for ${them} and no bytes.`;
    }),
  ];
}

function noteOf(names: readonly string[], cls: string, what: (them: string) => string): string[] {
  const [first] = names;
  if (first === undefined) return [];
  const [more, them] = names.length === 1 ? ['', 'it'] : [` and ${names.length - 1} more`, 'them'];
  return [`No file holds ${first}${more} of ${cls}: ${what(them)}`];
}
