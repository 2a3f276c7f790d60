/**
 * Starts the process of a command's model before the command is read: a command with its libraries takes a fifth of a second to read and to start,
 * and the model's process as long. Flags are looked at as far as that takes; `startAhead` knows them all and says what was guessed wrongly.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { forkAhead } from '../../src/runtime/captioner/process/fork-model.js';
import { likelyCard } from '../../src/runtime/placement/likely-card.js';
import { parseSize } from '../../src/planner/index.js';
import { asksForWords } from '../common/completion.js';

/** Subcommands whose processes are their own affair, and flags that start none or several. */
const OTHERS = new Set(['queue', 'worker', 'completion', '-h', '--help', '-v', '-V', '--version', '--workers']);

/** @returns the CUDA card that the model is likely to use */
export function forkEarly(argv: readonly string[]): number | undefined {
  const start = startOf(argv);
  if (start !== null) forkAhead(start.card);
  return start?.card;
}

/** null where no process is started yet: no model of this machine is named, or none is wanted. */
export function startOf(argv: readonly string[]): { readonly card: number | undefined } | null {
  if (asksForWords(argv)) return null;
  const [model] = [...valuesOf(argv, '-m'), ...valuesOf(argv, '--model')];
  if (model === undefined || argv.some((each) => OTHERS.has(each.split('=', 1)[0] ?? each))) return null;
  return existsSync(join(model, 'config.json')) ? { card: cardOf(argv) } : null;
}

function cardOf(argv: readonly string[]): number | undefined {
  if (argv.some((each) => /^--(plan|emulate-gpu)(=|$)/.test(each))) return undefined;
  const [provider = 'auto'] = valuesOf(argv, '--provider');
  if (provider !== 'auto' && provider !== 'cuda') return undefined;
  const stated = valuesOf(argv, '--vram');
  try {
    const gpus = new Map(stated.map((size, gpu) => [gpu, parseSize(size)]));
    return likelyCard({ provider, ...(gpus.size > 0 && { budgets: { gpus, ramBytes: null, diskBytes: 0 } }) });
  } catch {
    // What is no size is refused by who reads all flags.
    return undefined;
  }
}

function valuesOf(argv: readonly string[], flag: string): string[] {
  return argv.flatMap((each, place) => {
    if (each.startsWith(`${flag}=`)) return [each.slice(flag.length + 1)];
    const next = argv[place + 1];
    return each === flag && next !== undefined ? [next] : [];
  });
}
