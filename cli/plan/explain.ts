/** `blip2-plan explain map.json`: what a device map means, what is wrong with it, and what ours would cost instead. */
import {
  DEFAULT_PRESET,
  explainMap,
  formatSize,
  type MapExplanation,
  type PlanDocument,
  type PlanResult,
} from '../../src/planner/index.js';
import { doesNotFit, shortfall } from '../../src/planner/report/does-not-fit.js';
import { deviceName } from '../../src/planner/report/picture-data.js';
import { hasUnsettledMainGpu } from '../../src/planner/map/unsettled-main-gpu.js';
import { readPlan } from '../../src/planner/plan/document/read-plan.js';
import { formatMs } from '../../src/planner/report/format-ms.js';
import { command } from '../common/command.js';
import { EXIT, usageError } from '../common/main.js';
import { createParser } from '../common/parser.js';
import { readMap } from '../common/read-map.js';
import { asPlanned } from './as-planned.js';
import { measuredCaptions } from './measured-captions.js';
import { writeOutput } from './output.js';
import type { ReportContext } from './report-page.js';
import { planRequest, readRequest, tellRequest } from './plan-request.js';
import { hideFlags, RARE_FLAGS, REQUEST_LISTS, requestFlags } from './request-flags.js';
import { planSummary } from './summary.js';
import { switchFlag, textFlag } from '../common/flags.js';

const parser = hideFlags(
  requestFlags(
    createParser('blip2-plan explain', '$0 <map> [checkpoint]', 'Validates and prices a device map against ours.'),
  ),
  ['allow-quant', ...RARE_FLAGS],
)
  .positional('map', {
    type: 'string',
    demandOption: true,
    describe: 'device map or plan document (JSON), - for stdin',
  })
  .positional('checkpoint', { type: 'string', describe: 'what the map is for [default: Salesforce/blip2-opt-2.7b]' })
  .option('measured', textFlag('Output:', 'times that blip2-run --json wrote, to show beside the predicted ones'))
  .option('output', {
    ...textFlag('Output:', 'a picture of the map as well: a file ending in .svg or .html'),
    alias: 'o',
  })
  .option('force', switchFlag('Output:', 'replace the file of --output'))
  .option('json', switchFlag('Output:', 'the explanation as JSON'))
  .example('$0 map.json --vram 6G', 'does it fit, what does it cost, what would ours?')
  .example('$0 map.json ./any-model --vram 12G -o map.svg', 'of another model, and as a picture')
  .epilogue(
    'What no flag says of memory, cards, work, engine and checkpoint is taken from a plan document, where it is one.',
  )
  .epilogue('Takes what blip2-plan plan takes to say what runs and where as well.')
  .epilogue('Exit status: 0 the map is sound and fits, 2 it is not, 3 it exceeds a budget, 1 anything else.');

export const explain = command(parser, REQUEST_LISTS, async (flags) => {
  const draw = flags.output === undefined ? undefined : drawing(flags.output);
  const json = await readMap(flags.map);
  const { map, quant } = readPlan(json);
  const { args, encoded, fingerprint } = asPlanned(flags, json);
  if (args.batch === 'auto') throw usageError('a map is explained for a number of pictures, so --batch takes one');
  const request = await readRequest(args);
  const { tensors, options } = request;
  tellRequest(request);
  const own = options.checkpoint?.fingerprint ?? null;
  if (fingerprint !== null && own !== null && fingerprint !== own)
    process.stderr.write('warning: the plan was made for a checkpoint of other tensors\n');
  if (hasUnsettledMainGpu(json))
    process.stderr.write(
      'warning: to transformers another GPU in each process may stream what is on none, as the map names them "cuda:N": write numbers\n',
    );
  const workload = { ...options.workload, ...(encoded === undefined ? {} : { encoded }) };
  const given = explainMap(map, tensors, { ...options, workload }, quant);
  const measured = args.measured === undefined ? undefined : await measuredCaptions(args.measured);
  const ours = options.budgets.gpus.size === 0 ? null : planRequest(request);
  if (args.json === true) {
    process.stdout.write(`${JSON.stringify(asDocument(given, ours), null, 2)}\n`);
  } else {
    process.stdout.write(`${asText(given, ours)}\n`);
    // A map does not say what it is for.
    if (args.checkpoint === undefined && given.issues.some(({ code }) => code === 'MAP_UNKNOWN_KEY'))
      process.stdout.write(
        `This model is ${DEFAULT_PRESET}. Name another behind the map: blip2-plan explain ${flags.map} ./model\n`,
      );
    if (measured !== undefined && given.plan !== null) {
      process.stdout.write(`${besideMeasured(given.plan.cost.latencyMs, measured.latencyMs)}\n`);
    }
  }
  if (draw !== undefined && given.plan !== null) {
    const picture = await draw(given.plan, { request, args, ...(measured === undefined ? {} : { measured }) });
    await writeOutput(picture, args.output, args.force === true);
  }
  if (given.issues.length > 0) return EXIT.usage;
  return given.overBudget.length > 0 ? EXIT.doesNotFit : EXIT.ok;
});

function besideMeasured(predictedMs: number, measuredMs: number): string {
  return `measured ${formatMs(measuredMs)} a call: predicted is ${(predictedMs / measuredMs).toFixed(2)} x that`;
}

type Drawing = (plan: PlanDocument, context: ReportContext) => Promise<string>;

/** What draws into a file of this name: asked before anything is printed. */
function drawing(file: string): Drawing {
  if (/\.svg$/i.test(file)) {
    return async (plan, context) => (await import('../../src/planner/report/svg-picture.js')).svgPicture(plan, context);
  }
  if (/\.html?$/i.test(file)) {
    return async (plan, context) => (await import('./report-page.js')).reportPage(plan, context);
  }
  throw usageError(
    `--output ${file} is neither .svg nor .html`,
    'explain writes a picture of the map; blip2-plan writes plans.',
  );
}

function asDocument(given: MapExplanation, ours: PlanResult | null): object {
  return {
    issues: given.issues.map((issue) =>
      'rewrite' in issue ? { ...issue, rewrite: Object.fromEntries(issue.rewrite) } : issue,
    ),
    overBudget: given.overBudget,
    plan: given.plan,
    fits: given.issues.length === 0 && given.overBudget.length === 0,
    ours: ours?.status === 'fits' ? ours.plan : null,
  };
}

function asText(given: MapExplanation, ours: PlanResult | null): string {
  const lines: string[] = [];
  for (const issue of given.issues) {
    lines.push(`${issue.code}: ${issue.message}`);
    if ('rewrite' in issue) {
      lines.push(`safe to all readers: ${JSON.stringify(Object.fromEntries(issue.rewrite))}`);
    }
  }
  if (given.issues.length === 0)
    lines.push('The map is sound: every reader of transformers gives every tensor the same device.');
  for (const { device, bytes } of given.overBudget) {
    lines.push(`It does not fit: ${deviceName(device)} is ${formatSize(bytes)} over its budget.`);
  }
  if (given.plan !== null) lines.push('', planSummary(given.plan));
  if (given.overBudget.length > 0 && ours !== null) lines.push('', ...insteadOf(ours));
  else if (given.plan !== null && ours?.status === 'fits') {
    const theirs = given.plan.cost.latencyMs;
    const best = ours.plan.cost.latencyMs;
    lines.push(
      '',
      theirs > best * 1.001
        ? `Ours within the same budgets: ${formatMs(best)}, ${(theirs / best).toFixed(2)} x as fast. blip2-plan with the same flags prints it.`
        : 'No map within these budgets is predicted to be faster.',
    );
  }
  return lines.join('\n');
}

/** The map that fits where the given one does not, or what would make one fit. */
function insteadOf(ours: PlanResult): string[] {
  if (ours.status === 'fits') {
    return [
      'This plan fits the same budgets; blip2-plan with the same flags prints its map:',
      '',
      planSummary(ours.plan),
    ];
  }
  const { hint } = doesNotFit(ours);
  return [`No other map fits either: ${shortfall(ours)}.`, ...(hint === undefined ? [] : [hint])];
}
