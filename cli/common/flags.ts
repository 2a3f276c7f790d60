/** Flags as yargs takes them. `nargs: 1`, so that none swallows a positional behind its value. */
import type { InferredOptionTypes, Options } from 'yargs';
import type { ReadOnly } from '../../src/read-only.js';
import { wholeNumber } from './parser.js';

type FlagsTaken = Readonly<Record<string, Options>>;

/** Flags that a line may leave out: those without a default. */
type Optional<Flags extends FlagsTaken> = {
  [Flag in keyof Flags]: undefined extends InferredOptionTypes<Flags>[Flag] ? Flag : never;
}[keyof Flags];

/** What a line says with these flags. */
export type ArgsOf<Flags extends FlagsTaken> = ReadOnly<
  Partial<InferredOptionTypes<Flags>> & Omit<InferredOptionTypes<Flags>, Optional<Flags>>
>;

export function textFlag(group: string | undefined, describe: string) {
  return { type: 'string', nargs: 1, group, describe } as const;
}

/** One that may be given several times. */
export function listFlag(group: string | undefined, describe: string) {
  return { ...textFlag(group, describe), array: true } as const;
}

export function switchFlag(group: string | undefined, describe: string) {
  return { type: 'boolean', group, describe } as const;
}

export function countFlag(flag: string, group: string, describe: string, least = 1) {
  return { ...textFlag(group, describe), coerce: wholeNumber(flag, least) } as const;
}

/** Those of commands whose flags stand under no heading. */
export const plainText = (describe: string) => textFlag(undefined, describe);
export const plainList = (describe: string) => listFlag(undefined, describe);
export const plainSwitch = (describe: string) => switchFlag(undefined, describe);
