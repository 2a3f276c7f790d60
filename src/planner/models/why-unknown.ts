import { lackingPart } from './composed-class.js';
import { architecturesOf, asConfig } from './model-config.js';
import type { ModelTable } from './read-model-table.js';

/** Why no class of the table loads a checkpoint. @param what it is called where its class is not in the table */
export function whyUnknown(table: ModelTable, config: unknown, what: string): string {
  const described = asConfig(config);
  const [named] = architecturesOf(described);
  const part = named === undefined ? null : lackingPart(table, named, described);
  if (part !== null)
    return `${named ?? what} has a part, ${part}, that is not in the table of transformers ${table.version}'s models`;
  return named !== undefined && table.classOf(named) !== null
    ? `The tensors have other names than those of ${named} in transformers ${table.version}`
    : `${what} is not in the table of transformers ${table.version}'s models`;
}
