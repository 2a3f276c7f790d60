import { LineGiver } from '../../src/bulk/lines/line-giver.js';
import { workOnShards } from '../../src/bulk/work/work-on-shards.js';
import { readLines } from '../../src/loader/file/read-lines.js';
import { command } from '../common/command.js';
import { counted } from '../common/counted.js';
import { EventLog, logFlags } from '../common/event-log.js';
import { graceFlag, gracefulStop } from '../common/graceful-stop.js';
import { EXIT } from '../common/main.js';
import { metricsFlag } from '../common/metrics-flag.js';
import { createParser } from '../common/parser.js';
import { budgetFlags } from '../common/plan-options.js';
import { writeOut } from '../common/write-out.js';
import { workersFlag } from '../run/bulk-flags.js';
import { generationFlags } from '../run/generation-flags.js';
import { modelFlags } from '../run/model-flags.js';
import { pictureFlags } from '../run/picture-flags.js';
import { askShardModel, ShardModels } from '../run/shard-models.js';
import { textFlag } from '../common/flags.js';

const ofModel = modelFlags(
  createParser(
    'blip2-run worker',
    '$0',
    'Captions shards that another program describes on stdin, a JSON object a line.',
  ),
);
const parser = metricsFlag(logFlags(graceFlag(generationFlags(pictureFlags(budgetFlags(ofModel))))))
  .option('workers', { ...workersFlag, group: 'Model:' })
  .option(
    'image-root',
    textFlag('Pictures:', "folder of relative paths inside Parquet files [default: the file's own]"),
  )
  .example('$0 -m models/demo < shards.jsonl', 'a shard a line, and an answer a line')
  .example('$0 -m ./blip2-opt-2.7b --vram 6G --workers auto', 'on every card, 6 GiB of each')
  .epilogue(
    'In: {"id": "00042", "pictures": ["a.jpg", "b.jpg"]}, with "out": a file for the records, where they are not to come in the answer, and "first": position in the whole run, for --sample. Out: {"id", "status": "done", "captioned", "failed", "seconds", "records"}, "written" or "exists" with "out", "failed" or "refused" with "error", "returned" after SIGTERM. Exit status: 0 all lines are answered; 4 some pictures failed or lines were refused.',
  );

/** `blip2-run worker`: the unit of other engines. */
export const worker = command(parser, ['vram', 'stop-id'], async (args, { signal }) => {
  const log = new EventLog(args.log, args.quiet === true);
  const model = await askShardModel(args, log, signal);
  const { stopping, now } = gracefulStop(signal, args.grace);
  // Answers of two shards may come at the same time; each is a line of its own.
  let written = Promise.resolve();
  const giver = new LineGiver({
    lines: readLines(process.stdin),
    stopping,
    answer: (answer) => (written = written.then(() => writeOut(`${JSON.stringify(answer)}\n`))),
  });
  await using models = await ShardModels.open({
    model,
    args,
    log,
    signal: now,
    trouble: () => null,
  });
  await workOnShards({
    giver,
    open: (shard) => giver.open(shard),
    write: (job) => giver.write(job),
    stopping,
    imageRoot: args['image-root'],
    ...models.staff,
  }).finally(() => {
    // A program that is still writing would keep the process.
    process.stdin.destroy();
  });
  const { captioned, failed } = models.tally;
  log.write('info', 'end', `captioned ${counted(captioned, 'picture')}, ${failed} failed`, { captioned, failed });
  return failed === 0 && giver.refused === 0 ? EXIT.ok : EXIT.someInputsFailed;
});
