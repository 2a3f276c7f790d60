import { diffCheckpoints, type TensorDifference } from '../../src/loader/index.js';
import { printable } from '../../src/loader/format/quote.js';
import { command } from '../common/command.js';
import { EXIT, usageError } from '../common/main.js';
import { createParser } from '../common/parser.js';
import { ProgressLine } from '../common/progress.js';
import { openSource } from '../common/open-source.js';
import { warnOf } from '../common/warn-of.js';
import { plainText } from '../common/flags.js';
import { commonFlags } from './shard-options.js';

const parser = commonFlags(
  createParser(
    'blip2-shard diff',
    '$0 <a> <b>',
    'What differs between two checkpoints, whatever their sharding. Exit status 0: nothing; 1: something.',
  )
    .positional('a', { type: 'string', demandOption: true })
    .positional('b', { type: 'string', demandOption: true }),
)
  .option(
    'atol',
    plainText('floats that differ by no more are equal, also across float dtypes and with int8 and int4 weights'),
  )
  .example('$0 ckpt resharded', 'nothing, where only the files differ')
  .example('$0 ckpt float16 --atol 1e-3', 'what a conversion has changed');

export const diff = command(parser, [], async (args, { signal }) => {
  const atol = args.atol === undefined ? undefined : Number(args.atol);
  if (atol !== undefined && !(atol >= 0)) throw usageError(`--atol takes a number of at least 0, not "${args.atol}"`);
  const [a, b] = [await openSource(args.a, args, signal), await openSource(args.b, args, signal)];
  for (const source of [a, b]) warnOf(source, args.quiet);
  const line = new ProgressLine(args.quiet !== true);
  const differences = await diffCheckpoints(a, b, {
    ...(atol === undefined ? {} : { atol }),
    signal,
    onProgress: (done, total) => line.update(`${done} of ${total} tensors`),
  }).finally(() => line.clear());
  if (args.json === true) process.stdout.write(`${JSON.stringify({ same: differences.length === 0, differences })}\n`);
  else for (const difference of differences) process.stdout.write(`${describe(difference)}\n`);
  if (args.quiet !== true)
    process.stderr.write(`${differences.length} differences between ${a.tensors.size} and ${b.tensors.size} tensors\n`);
  return differences.length === 0 ? EXIT.ok : EXIT.failed;
});

function describe(difference: TensorDifference): string {
  const name = printable(difference.name);
  switch (difference.kind) {
    case 'only-in-a':
      return `- ${name}`;
    case 'only-in-b':
      return `+ ${name}`;
    case 'dtype':
    case 'shape':
      return `! ${name}  ${difference.kind} ${difference.a} -> ${difference.b}`;
    case 'values':
      return `! ${name}  values${difference.maxAbs === null ? '' : ` by up to ${difference.maxAbs}`}`;
  }
}
