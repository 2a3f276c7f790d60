/** Where an answer goes, for every subcommand that may write it into a file. */
export function outputFlags(json: string, quiet: string) {
  return {
    output: {
      alias: 'o',
      type: 'string',
      nargs: 1,
      group: 'Output:',
      describe: 'file to write instead of stdout; the format follows its extension',
    },
    force: { type: 'boolean', group: 'Output:', describe: 'replace the file of --output' },
    json: { type: 'boolean', group: 'Output:', describe: json },
    quiet: { alias: 'q', type: 'boolean', group: 'Output:', describe: quiet },
  } as const;
}

export interface OutputArgs {
  readonly output?: string | undefined;
  readonly force?: boolean | undefined;
  readonly json?: boolean | undefined;
  readonly quiet?: boolean | undefined;
}
