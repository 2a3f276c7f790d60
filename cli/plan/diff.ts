/** `blip2-plan diff a.json b.json`: what one plan does otherwise than another. */
import {
  Blip2Error,
  diffPlans,
  formatSize,
  parsePlan,
  type PlanDocument,
  type Placement,
  type PlanDiff,
  type QuantScheme,
} from '../../src/planner/index.js';
import { deviceName } from '../../src/planner/report/picture-data.js';
import { formatMs } from '../../src/planner/report/format-ms.js';
import { command } from '../common/command.js';
import { EXIT } from '../common/main.js';
import { createParser } from '../common/parser.js';
import { readJson } from '../common/read-json.js';
import { switchFlag } from '../common/flags.js';

const parser = createParser('blip2-plan diff', '$0 <before> <after>', 'What changes from one plan to another.')
  .positional('before', { type: 'string', demandOption: true, describe: 'plan written by --format json' })
  .positional('after', { type: 'string', demandOption: true, describe: 'plan written by --format json' })
  .option('json', switchFlag('Output:', 'the difference as JSON'))
  .example('$0 before.json after.json', 'blocks that moved, and what that does to memory and time')
  .example('blip2-plan --vram 6G --json | $0 before.json -', 'against a plan that is made now');

export const diff = command(parser, [], async (args) => {
  const [before, after] = await Promise.all([planOf(args.before), planOf(args.after)]);
  const found = diffPlans(before, after);
  process.stdout.write(args.json === true ? `${JSON.stringify(found, null, 2)}\n` : `${asText(found)}\n`);
  return EXIT.ok;
});

async function planOf(file: string): Promise<PlanDocument> {
  const json = await readJson(file);
  try {
    return parsePlan(json);
  } catch (cause) {
    if (!(cause instanceof Blip2Error)) throw cause;
    throw new Blip2Error(cause.code, `${file === '-' ? 'stdin' : file} is no plan`, {
      hint: 'A plan is what blip2-plan --format json writes; a device map does not say enough to compare.',
      details: cause.details,
      cause,
    });
  }
}

function asText(found: PlanDiff): string {
  const { onlyBefore, onlyAfter, moved } = found;
  const isSameModel = onlyBefore.length + onlyAfter.length === 0;
  const lines = [
    `latency   ${formatMs(found.latencyMs.before)} -> ${formatMs(found.latencyMs.after)}`,
    `streamed  ${formatSize(found.streamedBytesPerCall.before)} -> ${formatSize(found.streamedBytesPerCall.after)} per call`,
    ...contextChange(found.countContext),
    ...lockChange(found.pageLocked),
    ...found.weightBytes
      .filter(({ before, after }) => before !== after)
      .map(
        ({ device, before, after }) => `${deviceName(device).padEnd(8)}  ${formatSize(before)} -> ${formatSize(after)}`,
      ),
    ...(moved.length === 0 && isSameModel ? ['no block changes'] : []),
    ...(isSameModel ? [] : [`the models differ: ${onlyBefore.length} blocks gone, ${onlyAfter.length} new`]),
    ...(moved.length === 0 ? [] : [`${moved.length} ${moved.length === 1 ? 'block changes' : 'blocks change'}:`]),
  ];
  for (const { block, from, to, scheme } of moved) {
    lines.push(`  ${block}: ${where(from, scheme.before)} -> ${where(to, scheme.after)}`);
  }
  for (const block of onlyBefore) lines.push(`  ${block}: gone`);
  for (const block of onlyAfter) lines.push(`  ${block}: new`);
  return lines.join('\n');
}

/** Budgets that were kept by different counts say nothing of each other. */
function contextChange({ before, after }: PlanDiff['countContext']): string[] {
  if (before === null || after === null || before === after) return [];
  return [`budgets   ${before ? 'with the' : 'without the'} driver's share -> ${after ? 'with' : 'without'} it`];
}

function lockChange({ before, after }: PlanDiff['pageLocked']): string[] {
  return before === after ? [] : [`host      ${before ? 'page-locked -> pageable' : 'pageable -> page-locked'} memory`];
}

function where({ execution, runsOn, device, keptBytes }: Placement, scheme: QuantScheme | null): string {
  const name = deviceName(runsOn);
  const kept = keptBytes === undefined ? '' : ` but for ${formatSize(keptBytes)}`;
  const place =
    execution === 'resident' ? name : execution === 'host' ? `${name} (${device})` : `${name} (from ${device}${kept})`;
  return scheme === null ? place : `${place} as ${scheme}`;
}
