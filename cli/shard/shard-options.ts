/** What the subcommands of `blip2-shard` share: flags, positionals, patterns. */
import type { Argv } from 'yargs';
import type { FloatDtype } from '../../src/loader/index.js';
import { STORED_AS } from '../../src/tensor/load-dtype.js';
import { parseDtypeName } from '../common/dtype.js';
import { HUB_FLAGS } from '../common/hub-flags.js';
import { usageError } from '../common/main.js';
import { createParser, wholeNumber } from '../common/parser.js';
import { switchFlag, textFlag } from '../common/flags.js';

/** Flags of every subcommand. */
export function commonFlags<T>(parser: Argv<T>) {
  return parser
    .option('json', switchFlag('Output:', 'one JSON document on stdout; errors as JSON too'))
    .options(HUB_FLAGS)
    .option('quiet', { ...switchFlag('Output:', 'nothing on stderr but errors'), alias: 'q' });
}

/** The parser of a subcommand that reads a checkpoint. */
export function readerParser(name: string, description: string) {
  return commonFlags(fromCheckpoint(createParser(`blip2-shard ${name}`, '$0 <checkpoint>', description)));
}

/** The parser of a subcommand that writes a checkpoint. */
export function writerParser(name: string, description: string) {
  const parser = fromCheckpoint(createParser(`blip2-shard ${name}`, '$0 <checkpoint> <out>', description));
  return commonFlags(
    parser.positional('out', {
      type: 'string',
      demandOption: true,
      describe: 'folder to write; made where it does not exist',
    }),
  )
    .option('dry-run', switchFlag('Output:', 'say what would be written, write nothing'))
    .option('align', {
      ...textFlag(
        'Output:',
        'bytes that the data of a file is aligned to; 8 gives the bytes that Python writes [default: 256]',
      ),
      coerce: wholeNumber('align', 1),
    });
}

/** A positional, for the help and the types. */
function fromCheckpoint<T>(parser: Argv<T>) {
  return parser.positional('checkpoint', {
    type: 'string',
    demandOption: true,
    describe: 'folder, .safetensors file, *.safetensors.index.json, or a model on the hub (owner/name)',
  });
}

/** `float16`, `F16` and `half` are the same. @throws Blip2Error `USAGE` */
export function parseDtype(text: string): FloatDtype {
  return STORED_AS[parseDtypeName('--dtype', text)];
}

/** Whether a name matches a pattern in which `*` stands for any characters, dots too, and `?` for one. */
export function matchesGlob(pattern: string, name: string): boolean {
  const source = pattern
    .replaceAll(/[$()+.[\\\]^{|}]/g, String.raw`\$&`)
    .replaceAll('*', '.*')
    .replaceAll('?', '.');
  return new RegExp(`^${source}$`, 'su').test(name);
}

/** @throws Blip2Error `USAGE` where a pattern matches no tensor: a typo would go unseen. */
export function requireMatches(flag: string, patterns: readonly string[], names: Iterable<string>): void {
  const all = [...names];
  const unused = patterns.find((pattern) => !all.some((name) => matchesGlob(pattern, name)));
  if (unused !== undefined)
    throw usageError(`--${flag} "${unused}" matches no tensor`, 'See `blip2-shard inspect` for the names.');
}
