import type { Argv } from 'yargs';
import { type Budgets, parseSize, type QuantScheme } from '../../src/planner/index.js';
import { QUANT_SCHEMES } from '../../src/tensor/quantized.js';
import { usageError } from './main.js';
import { type ArgsOf, listFlag, textFlag } from './flags.js';

/** The flags that state budgets, for every command that plans. */
export const BUDGET_FLAGS = {
  vram: listFlag('Budget:', 'memory of one GPU; repeat for more (10G = 10 GiB, 10GB = 10^9 bytes)'),
  ram: textFlag('Budget:', 'host memory [default: no limit]'),
  disk: textFlag('Budget:', 'bytes that may stay on disk and be read on every run [default: 0]'),
  reserve: textFlag('Budget:', 'left free on every GPU, for its driver and others [default: 0]'),
  'allow-quant': textFlag(
    'Budget:',
    `quantise language layers, and caches of many pictures, where that saves time: ${QUANT_SCHEMES.join(', ')}, or both with a comma`,
  ),
} as const;

export const budgetFlags = <T>(parser: Argv<T>) => parser.options(BUDGET_FLAGS);

export type BudgetArgs = ArgsOf<typeof BUDGET_FLAGS>;

/** GPUs are numbered in the order of `--vram`. */
export function readBudgets({ vram = [], ram, disk }: BudgetArgs): Budgets {
  const several = vram.find((size) => /^[^,]*[a-z],/i.test(size));
  if (several !== undefined) {
    const sizes = several.split(',').map((size) => size.trim());
    const unit = /[a-z]*$/i.exec(sizes[0] ?? '')?.[0] ?? '';
    const each = sizes.flatMap((size) => (size === '' ? [] : [`--vram ${size}${/[a-z]$/i.test(size) ? '' : unit}`]));
    throw usageError(`--vram ${several} is not the memory of one GPU`, `Repeat the flag: ${each.join(' ')}.`);
  }
  return {
    gpus: new Map(vram.map((size, id) => [id, parseSize(size)])),
    ramBytes: ram === undefined ? null : parseSize(ram),
    diskBytes: disk === undefined ? 0 : parseSize(disk),
  };
}

/** `int8,int4` of `--allow-quant`. */
export function readAllowQuant(flag: string | undefined): QuantScheme[] {
  if (flag === undefined) return [];
  return flag.split(',').map((name) => {
    const scheme = QUANT_SCHEMES.find((each) => each === name.trim().toLowerCase());
    if (scheme !== undefined) return scheme;
    throw usageError(`--allow-quant ${flag}: "${name}" is not one of ${QUANT_SCHEMES.join(', ')}`);
  });
}
