import { Blip2Error, formatSize } from '../../src/planner/index.js';
import type { PlacementOptions } from '../../src/runtime/index.js';
import { command } from '../common/command.js';
import { usageError } from '../common/main.js';
import { createParser } from '../common/parser.js';
import { budgetFlags } from '../common/plan-options.js';
import { RateLine } from '../common/rate-line.js';
import { sayer } from '../common/say.js';
import { askModel } from './asked-model.js';
import { BULK_FLAGS, bulkFlags, readBulk } from './bulk-flags.js';
import { captionPictures } from './caption-pictures.js';
import { GENERATION_FLAGS, generationFlags, readGeneration } from './generation-flags.js';
import { listImages, refuseList } from './list-images.js';
import { matchPictures } from './match-pictures.js';
import { modelFlags } from './model-flags.js';
import { PICTURE_NOTES, pictureFlags } from './picture-flags.js';
import { startAhead } from './start-ahead.js';
import { listFlag, switchFlag } from '../common/flags.js';

const ofModel = modelFlags(
  createParser('blip2-run caption', '$0 [images..]', 'Captions pictures, or answers a question about them.').positional(
    'images',
    {
      type: 'string',
      array: true,
      default: [] as string[],
      describe: 'picture files, URLs, folders of pictures, or - for a list on stdin',
    },
  ),
).option('replan', {
  ...switchFlag('Model:', 'where a GPU has less memory free than --vram says: plan again for what is left'),
  implies: 'vram',
});

const TEXT_FLAGS = [...GENERATION_FLAGS, ...BULK_FLAGS];
const parser = bulkFlags(generationFlags(pictureFlags(budgetFlags(ofModel))))
  .option('match', {
    ...listFlag('Retrieval checkpoints:', 'how well this text describes each picture; repeatable'),
    conflicts: TEXT_FLAGS,
  })
  .option('embed', {
    ...switchFlag('Retrieval checkpoints:', "each picture's vectors, as JSON"),
    conflicts: TEXT_FLAGS,
  })
  .option('stream', {
    ...switchFlag('Output:', 'write words as they are made'),
    conflicts: ['json', 'batch', 'beams', 'num-captions', 'match', 'embed', 'out'],
  })
  .option('json', switchFlag('Output:', 'one JSON object per picture; errors as JSON too'))
  .option('quiet', { ...switchFlag('Output:', 'errors only on stderr'), alias: 'q' })
  .option('no-progress', switchFlag('Output:', 'no live line on stderr'))
  .example('blip2-run photo.jpg --model models/demo', 'a caption')
  .example(
    'blip2-run photos/ -m models/demo --vram 8M --emulate-gpu --question "what color is it?"',
    'cut between two devices',
  )
  .example('blip2-run photos/ -m models/demo --out captions', 'many pictures, in a run that can be stopped')
  .epilogue(
    'Exit status: 0 done, 1 unexpected failure, 2 wrong usage, 3 does not fit, 4 some pictures failed, 130 interrupted.',
  )
  .epilogue(PICTURE_NOTES);

/** `blip2-run caption`, which is also what a line means that names no subcommand. */
export const caption = command(parser, ['vram', 'images', 'match', 'stop-id'], async (args, { signal }) => {
  if (args.images.length === 0) {
    throw usageError('no picture given', 'Name picture files, URLs or folders, or - for a list on stdin.');
  }
  const images = args.images.map(String);
  await refuseList(images);
  const bulk = await readBulk({ ...args, images });
  const say = sayer(args.quiet);
  const listing = {
    recursive: args['no-recursive'] !== true,
    signal,
    onSkipped: (folder: string, skipped: string) => say(`skipped in ${folder}: ${skipped}`),
  };
  const pictures = bulk === null ? await listImages(images, listing) : [];
  if (bulk === null && pictures.length === 0) {
    throw new Blip2Error('INPUT_EMPTY', 'the list on stdin holds no picture', {
      hint: 'It has one path or URL a line.',
    });
  }
  const batchSize: number | 'auto' = args.stream === true ? 1 : (args.batch ?? 'auto');
  if (args.stream === true && (readGeneration(args).numBeams ?? 1) > 1) {
    throw usageError('beams change their minds, so --stream has nothing to write while they run');
  }
  const isCaptioning = args.match === undefined && args.embed !== true;
  const rate = new RateLine(args.quiet !== true && args['no-progress'] !== true);
  if (args.workers === undefined || args.workers === 1) await startAhead(args);
  const model = await askModel(args, {
    atOnce: isCaptioning ? batchSize : 1,
    pictures: bulk === null ? pictures.length : Infinity,
    signal,
    say,
    rate,
  });
  const { checkpoint, ask, generation, devices } = model;
  const common = { asJson: args.json === true, signal };
  const tally = { done: 0, failed: 0 };

  // The runtime and its native libraries are loaded only once there is something to run.
  const attempt = async (placed: PlacementOptions): Promise<number> => {
    if (!isCaptioning) {
      const { createMatcher } = await import('../../src/runtime/captioner/matcher.js');
      await using matcher = await createMatcher(checkpoint, { ...placed, ...devices }).finally(() => rate.clear());
      return await matchPictures(matcher, pictures, { ...common, texts: args.match ?? [], embed: args.embed === true });
    }
    if (bulk !== null) {
      const { captionInBulk } = await import('./caption-in-bulk.js');
      return captionInBulk({
        ...model,
        placed,
        images,
        signal,
        request: bulk,
        asJson: args.json === true,
        quiet: args.quiet === true,
        progress: args.quiet !== true && args['no-progress'] !== true,
        expand: (argument) => listImages([argument], listing),
        batch: batchSize,
        onStarted: () => rate.clear(),
      });
    }
    const { createCaptioner } = await import('../../src/runtime/captioner/captioner.js');
    await using captioner = await createCaptioner(checkpoint, { ...placed, ...devices }).finally(() => rate.clear());
    const run = {
      ...common,
      options: { ...ask, ...generation, batchSize },
      stream: args.stream === true,
      quiet: args.quiet === true,
      progress: args.quiet !== true && args['no-progress'] !== true,
    };
    return await captionPictures(captioner, pictures, run, tally);
  };

  try {
    return await attempt(model.placed);
  } catch (error) {
    if (!(error instanceof Blip2Error) || model.placed.budgets === undefined) throw error;
    const { remainingBudgets } = await import('./replan.js');
    const budgets = remainingBudgets(error, model.placed.budgets);
    if (budgets === null) throw error;
    if (args.replan !== true) {
      say('--replan plans again for what is left of the GPUs');
      throw error;
    }
    say(`${error.message}; planning again for ${[...budgets.gpus.values()].map(formatSize).join(' and ')}`);
    return await attempt({ ...model.placed, budgets });
  }
});
