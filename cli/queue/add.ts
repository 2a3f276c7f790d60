import { listInputs } from '../../src/bulk/inputs/list-inputs.js';
import { keepQueueFile } from '../../src/bulk/queue/queue-file.js';
import { connectQueue } from '../../src/bulk/queue/queue-connection.js';
import { RunQueue } from '../../src/bulk/queue/run-queue.js';
import { openShards } from '../../src/bulk/run/finish-run.js';
import { openRun } from '../../src/bulk/run/open-run.js';
import { command } from '../common/command.js';
import { counted } from '../common/counted.js';
import { EXIT, usageError } from '../common/main.js';
import { createParser } from '../common/parser.js';
import { budgetFlags } from '../common/plan-options.js';
import { RateLine } from '../common/rate-line.js';
import { writeOut } from '../common/write-out.js';
import { askModel } from '../run/asked-model.js';
import { bulkFlags, readBulk } from '../run/bulk-flags.js';
import { generationFlags } from '../run/generation-flags.js';
import { listImages } from '../run/list-images.js';
import { modelFlags } from '../run/model-flags.js';
import { pictureFlags } from '../run/picture-flags.js';
import { openRunFolder } from '../run/run-folder.js';
import { PictureNames, runOutput } from '../run/run-output.js';
import { refuseSampleWithoutSeed, runSettings } from '../run/run-settings.js';
import { sayer } from '../common/say.js';
import { queueFlags, readQueueUrl } from './queue-flags.js';
import { runFlags } from './run-flags.js';
import { switchFlag } from '../common/flags.js';

const ofInputs = createParser(
  'blip2-run queue add',
  '$0 <images..>',
  'Splits pictures into shards, and queues them.',
).positional('images', { type: 'string', array: true, default: [] as string[], describe: 'as for blip2-run --out' });

const parser = queueFlags(bulkFlags(generationFlags(pictureFlags(budgetFlags(modelFlags(ofInputs))))))
  .option('json', switchFlag('Output:', 'the answer, and errors, as JSON'))
  .option('quiet', { ...switchFlag('Output:', 'errors only on stderr'), alias: 'q' })
  .example('$0 /data/photos -m blip2-opt-2.7b --out /data/captions --queue redis://head', 'on one machine, once')
  .example('blip2-run queue work -m blip2-opt-2.7b --out /data/captions --queue redis://head', 'on every machine')
  .epilogue(
    'The shards, the folder and what is in it are those of blip2-run with the same flags and --out; each can go on with what the other began. Adding a run again adds what is not done. --plan and budgets matter only where they quantise.',
  );

/** `blip2-run queue add`: what `blip2-run --out` would caption, for others to caption. */
export const add = command(parser, ['vram', 'images', 'stop-id'], async (args, { signal }) => {
  const images = args.images.map(String);
  if (images.length === 0) throw usageError('no picture given', 'Name picture files, URLs or folders.');
  const url = readQueueUrl(args.queue);
  const request = await readBulk({ ...args, images });
  if (request === null) throw usageError('no --out given', 'Name a folder that all workers see.');
  for (const flag of ['shard', 'workers', 'retry-failed'] as const) {
    if (args[flag] !== undefined) throw usageError(`--${flag} is not for a queue, whose workers take any shard`);
  }
  if (request.existing === 'append') {
    throw usageError('--existing append does not go with a queue', 'A worker that was frozen would append again.');
  }
  const say = sayer(args.quiet);
  const rate = new RateLine(args.quiet !== true);
  // Before anything is written: without a queue there is no run of one.
  using connection = await connectQueue(url);
  const model = await askModel(args, { atOnce: args.batch ?? 'auto', pictures: Infinity, signal, say, rate });
  refuseSampleWithoutSeed(model.generation);
  await using folder = await openRunFolder(request.out, request.format);
  const names = new PictureNames();
  const output = await runOutput(folder, request, names);
  const expand = (argument: string) =>
    listImages([argument], {
      recursive: args['no-recursive'] !== true,
      signal,
      onSkipped: (where, skipped) => say(`skipped in ${where}: ${skipped}`),
    });
  const list = await openRun(folder, output, listInputs(images, { ...request, expand }), {
    settings: await runSettings({ ...model, request }),
    shardSize: request.shardSize,
    takesOtherInputs: request.format === 'txt',
    signal,
  });
  const { id } = await keepQueueFile(folder, runFlags(args));
  await using queue = new RunQueue(connection, id);
  if (await queue.isForgetful()) {
    say('warning: this server keeps no append-only file: where it restarts, add the run again [QUEUE_FORGETS]');
  }
  const open = await openShards(folder, list.shards);
  const { added, setAside } = await queue.add(open);
  const [pictures, shards, done] = [list.pictures, list.shards, list.shards - open.length];
  if (args.json === true) await writeOut(`${JSON.stringify({ id, pictures, shards, done, added, setAside })}\n`);
  else {
    say(
      `${counted(pictures, 'picture')} in ${counted(shards, 'shard')}: ${added} added, ${done} done, ${open.length - added} there already`,
    );
    if (setAside > 0)
      say(`${setAside} were set aside earlier: blip2-run queue status says why, queue retry adds them again`);
  }
  return EXIT.ok;
});
