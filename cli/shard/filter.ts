import { command } from '../common/command.js';
import { usageError } from '../common/main.js';
import { openToCopy } from '../common/open-source.js';
import { plainList } from '../common/flags.js';
import { runJob } from './run-job.js';
import { matchesGlob, requireMatches, writerParser } from './shard-options.js';
import { transformJob } from './transform.js';

const parser = writerParser('filter', 'Keeps the tensors that are included (all, unless said) and not excluded.')
  .option('include', plainList('names to keep, * for any characters; repeatable'))
  .option('exclude', plainList('names to leave out; repeatable'))
  .example("$0 ckpt out --include 'vision_model.*'", 'the vision tower')
  .example("$0 ckpt out --exclude '*.bias'", 'all but some');

export const filter = command(parser, ['include', 'exclude'], async (args, { signal }) => {
  const { include = ['*'], exclude = [] } = args;
  if (args.include === undefined && exclude.length === 0) throw usageError('say what to --include or --exclude');
  const source = await openToCopy(args.checkpoint, args, signal);
  requireMatches('include', include, source.tensors.keys());
  requireMatches('exclude', exclude, source.tensors.keys());
  const matches = (patterns: readonly string[], name: string) => patterns.some((pattern) => matchesGlob(pattern, name));
  const job = transformJob(source, (name, tensor) =>
    matches(include, name) && !matches(exclude, name) ? [[name, tensor]] : [],
  );
  return runJob(job, args.out, args, signal);
});
