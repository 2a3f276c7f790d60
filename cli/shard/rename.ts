import { command } from '../common/command.js';
import { usageError } from '../common/main.js';
import { openToCopy } from '../common/open-source.js';
import { plainList } from '../common/flags.js';
import { runJob } from './run-job.js';
import { writerParser } from './shard-options.js';
import { transformJob } from './transform.js';

const parser = writerParser('rename', 'Changes the beginnings of tensor names. The first prefix that fits counts.')
  .option('prefix', plainList('old=new; either may be empty; repeatable'))
  .example('$0 ckpt out --prefix model.=', 'takes a prefix away')
  .example('$0 ckpt out --prefix lm.=language_model. --dry-run', 'says what would be written');

export const rename = command(parser, ['prefix'], async (args, { signal }) => {
  const prefixes = (args.prefix ?? []).map(parsePrefix);
  if (prefixes.length === 0) throw usageError('say which --prefix', 'For example: --prefix model.=');
  const source = await openToCopy(args.checkpoint, args, signal);
  for (const [from] of prefixes) {
    if (![...source.tensors.keys()].some((name) => name.startsWith(from)))
      throw usageError(`no tensor name begins with "${from}"`);
  }
  const job = transformJob(source, (name, tensor) => {
    const [from, to] = prefixes.find(([old]) => name.startsWith(old)) ?? ['', ''];
    return [[to + name.slice(from.length), tensor]];
  });
  return runJob(job, args.out, args, signal);
});

function parsePrefix(text: string): [string, string] {
  const at = text.indexOf('=');
  if (at < 0) throw usageError(`--prefix takes old=new, not "${text}"`);
  return [text.slice(0, at), text.slice(at + 1)];
}
