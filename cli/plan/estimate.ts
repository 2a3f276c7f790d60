/** `blip2-plan estimate model`: how large a model is in each dtype, what a context takes, and which cards hold it. */
import {
  type Estimate,
  estimateModel,
  type EstimateRow,
  formatSize,
  KNOWN_GPUS,
  LOAD_DTYPES,
} from '../../src/planner/index.js';
import { isBlip2 } from '../../src/model/blip2-config.js';
import { command } from '../common/command.js';
import { HUB_FLAGS } from '../common/hub-flags.js';
import { loadModel } from '../common/load-model.js';
import { inColumns } from '../common/in-columns.js';
import { EXIT } from '../common/main.js';
import { createParser, wholeNumber } from '../common/parser.js';
import { warnOf } from '../common/warn-of.js';
import { knownModels } from './known-models.js';
import { switchFlag } from '../common/flags.js';

const parser = createParser(
  'blip2-plan estimate',
  '$0 <checkpoint>',
  'What a model takes, and which cards hold all of it.',
)
  .positional('checkpoint', {
    type: 'string',
    demandOption: true,
    describe: 'folder, index file or its address, or a model on the hub',
  })
  .options(HUB_FLAGS)
  .option('dtype', { choices: LOAD_DTYPES, describe: 'one dtype only' })
  .option('context', {
    type: 'string',
    nargs: 1,
    coerce: wholeNumber('context', 2),
    describe: 'tokens of prompt and answer together [default: 1024, 8192 and 32768]',
  })
  .option('batch', {
    type: 'string',
    nargs: 1,
    coerce: wholeNumber('batch', 1),
    describe: 'sequences at a time [default: 1]',
  })
  .option('json', switchFlag('Output:', 'the estimate as JSON'))
  .example('$0 ./any-model', 'every dtype, three contexts, and the cards that hold all of it')
  .example('$0 mistralai/Mistral-7B-v0.3 --dtype bfloat16 --context 32768', 'from the headers on the hub');

export const estimate = command(parser, [], async (args) => {
  const { tensors, config, checkpoint } = await loadModel(args.checkpoint, args);
  const known = isBlip2(config) ? null : await knownModels(tensors, config, {});
  const newTokens = args.context === undefined ? {} : { newTokens: Math.min(128, args.context - 1) };
  const found = estimateModel(
    tensors,
    {
      config,
      workload: { ...newTokens, ...(args.batch === undefined ? {} : { batch: args.batch }) },
      ...(known === null ? {} : { models: known.models }),
      ...(args.dtype === undefined ? {} : { dtype: args.dtype }),
    },
    ...(args.context === undefined ? [] : [[args.context]]),
  );
  if (checkpoint !== null) warnOf(checkpoint);
  for (const warning of [...(known?.warnings ?? []), ...found.warnings]) process.stderr.write(`warning: ${warning}\n`);
  process.stdout.write(args.json === true ? `${JSON.stringify(found, null, 2)}\n` : asText(found));
  return EXIT.ok;
});

function asText({ className, parameters, rows, assumptions }: Estimate): string {
  const header = ['dtype', 'context', 'weights', 'caches', 'activations', 'all of it fits'];
  return [
    `${className ?? 'a model that is not known'}: ${inWords(parameters)} stored elements`,
    ...inColumns([header, ...rows.map((row) => cellsOf(row))]),
    ...assumptions.map((text) => `assumed: ${text}`),
    '',
  ].join('\n');
}

/** As models are spoken of: 362 thousand, 27.4 million, 7.24 billion. */
function inWords(count: number): string {
  const [unit, word] = count < 1e6 ? [1e3, 'thousand'] : count < 1e9 ? [1e6, 'million'] : [1e9, 'billion'];
  return `${Number((count / unit).toPrecision(3))} ${word}`;
}

function cellsOf({ dtype, contextTokens, weightBytes, cacheBytes, activationBytes, cards }: EstimateRow): string[] {
  const bytes = (name: string) => KNOWN_GPUS.get(name)?.memoryBytes ?? 0;
  const smallest = Math.min(...cards.map((name) => bytes(name)));
  const named = cards.filter((name) => bytes(name) === smallest).slice(0, 3);
  const fits = cards.length === 0 ? 'no known card' : `from ${formatSize(smallest)} (${named.join(', ')})`;
  return [
    dtype,
    String(contextTokens),
    formatSize(weightBytes),
    formatSize(cacheBytes),
    formatSize(activationBytes),
    fits,
  ];
}
