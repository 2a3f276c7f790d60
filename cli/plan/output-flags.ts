import { type ArgsOf, switchFlag, textFlag } from '../common/flags.js';

/** Where an answer goes, for every subcommand that may write it into a file. */
export function outputFlags(json: string, quiet: string) {
  return {
    output: {
      ...textFlag('Output:', 'file to write instead of stdout; the format follows its extension'),
      alias: 'o',
    },
    force: switchFlag('Output:', 'replace the file of --output'),
    json: switchFlag('Output:', json),
    quiet: { ...switchFlag('Output:', quiet), alias: 'q' },
  } as const;
}

export type OutputArgs = ArgsOf<ReturnType<typeof outputFlags>>;
