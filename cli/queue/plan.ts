import { formatSize, parseSize } from '../../src/planner/index.js';
import { planFleet, SERVER_SHARDS_PER_SECOND, type FleetPlan } from '../../src/bulk/queue/fleet-plan.js';
import { command } from '../common/command.js';
import { EXIT, usageError } from '../common/main.js';
import { counted } from '../common/counted.js';
import { duration } from '../common/duration.js';
import { createParser, wholeNumber } from '../common/parser.js';
import { writeOut } from '../common/write-out.js';
import { plainText, plainSwitch } from '../common/flags.js';

const parser = createParser('blip2-run queue plan', '$0', 'Machines, hours and limits for so many pictures.')
  .option('pictures', { ...plainText('how many'), demandOption: true, coerce: wholeNumber('pictures', 1) })
  .option('rate', {
    ...plainText('pictures a second of one card, as a run on it says (queue status)'),
    demandOption: true,
    coerce: positive('rate'),
  })
  .option('hours', { ...plainText('when all should be done'), coerce: positive('hours') })
  .option('cards', { ...plainText('cards that there are'), conflicts: 'hours', coerce: wholeNumber('cards', 1) })
  .option('cards-per-machine', { ...plainText('[default: 8]'), coerce: wholeNumber('cards-per-machine', 1) })
  .option('shard-size', { ...plainText('pictures of a shard [default: 1000]'), coerce: wholeNumber('shard-size', 1) })
  .option('picture-bytes', { ...plainText('size of a picture'), default: '150K' })
  .option('storage', plainText('what the shared storage reads in a second for all machines, such as 2G'))
  .option('json', plainSwitch('as JSON'))
  .example('$0 --pictures 1000000000 --rate 346 --hours 72', 'cards for a billion pictures in three days')
  .example('$0 --pictures 5000000 --rate 346 --cards 8 --storage 2G', 'hours of eight cards');

/** `blip2-run queue plan`: what so many pictures take. */
export const plan = command(parser, [], async (args) => {
  const { pictures, rate, hours = null, cards = null } = args;
  if (pictures === undefined || rate === undefined) throw usageError('--pictures and --rate are needed');
  if (hours === null && cards === null) throw usageError('say in how many --hours, or with how many --cards');
  const answer = planFleet({
    pictures,
    picturesPerSecond: rate,
    hours,
    cards,
    cardsPerMachine: args['cards-per-machine'] ?? 8,
    shardSize: args['shard-size'] ?? 1000,
    pictureBytes: parseSize(args['picture-bytes']),
    storageBytesPerSecond: args.storage === undefined ? null : parseSize(args.storage),
  });
  await writeOut(args.json === true ? `${JSON.stringify(answer)}\n` : planText(answer, hours ?? Infinity));
  return EXIT.ok;
});

function planText(
  { cards, machines, hours, cardHours, shards, most, storageBytesPerSecondNeeded }: FleetPlan,
  askedHours: number,
): string {
  const limits = [
    `${counted(most.server, 'card')}: one server hands out ${SERVER_SHARDS_PER_SECOND} shards a second`,
    ...(most.storage === null ? [] : [`${counted(most.storage, 'card')}: the shared storage`]),
    `${counted(most.shards, 'card')}: there are no more shards`,
  ];
  return [
    `${counted(machines, 'machine')} with ${counted(cards, 'card')}: ${duration(3600 * hours)}, ${duration(3600 * cardHours)} of card time, ${counted(shards, 'shard')}`,
    ...(hours > askedHours * (1 + 1e-9)
      ? [`more than the ${askedHours} hours asked for: what is below is in the way`]
      : []),
    `reading ${formatSize(storageBytesPerSecondNeeded)} a second from shared storage`,
    'more cards make nothing faster from',
    ...limits.map((limit) => `  ${limit}`),
    '',
  ].join('\n');
}

function positive(flag: string): (value: unknown) => number | undefined {
  return (value) => {
    if (value === undefined) return undefined;
    const number = typeof value === 'string' ? Number(value) : Number.NaN;
    if (number > 0 && number < Infinity) return number;
    throw usageError(`--${flag} takes a number above 0, not ${JSON.stringify(value)}`);
  };
}
