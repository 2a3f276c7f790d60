import { hashCheckpoint } from '../../src/loader/index.js';
import { printable } from '../../src/loader/format/quote.js';
import { command } from '../common/command.js';
import { EXIT } from '../common/main.js';
import { openSource } from '../common/open-source.js';
import { RateLine } from '../common/rate-line.js';
import { warnOf } from '../common/warn-of.js';
import { plainSwitch } from '../common/flags.js';
import { readerParser } from './shard-options.js';

const parser = readerParser('hash', 'One SHA-256 of all names, dtypes, shapes and bytes: the same for any sharding.')
  .option('tensors', plainSwitch('also the hash of every tensor'))
  .example('$0 ckpt', 'a line to compare with that of another copy')
  .example('$0 ckpt --tensors', 'to find which tensor is another');

export const hash = command(parser, [], async (args, { signal }) => {
  const rate = new RateLine(args.quiet !== true);
  const source = await openSource(args.checkpoint, args, signal);
  warnOf(source, args.quiet);
  const result = await hashCheckpoint(source, {
    signal,
    onProgress: (done, total) => rate.update(done, total),
  }).finally(() => rate.clear());
  const tensors = args.tensors === true ? result.tensors : new Map<string, string>();
  if (args.json === true) {
    process.stdout.write(
      `${JSON.stringify({ hash: result.hash, ...(args.tensors === true ? { tensors: [...tensors] } : {}) })}\n`,
    );
    return EXIT.ok;
  }
  for (const [name, digest] of tensors) process.stdout.write(`${digest}  ${printable(name)}\n`);
  process.stdout.write(`${result.hash}\n`);
  return EXIT.ok;
});
