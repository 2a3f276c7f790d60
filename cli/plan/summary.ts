import { schemeIn } from '../../src/planner/plan/document/scheme-in.js';
import { type DeviceMemory, formatSize, type PlanDocument } from '../../src/planner/index.js';
import { besideWeights } from '../../src/planner/report/picture-data.js';
import { formatMs } from '../../src/planner/report/format-ms.js';
import { formatCount } from '../../src/size.js';

/** The story of a plan for a person: what it is for, a row of memory per device, what runs where, and what it costs. */
export function planSummary(plan: PlanDocument): string {
  const { workload, cost } = plan;
  const { pictureSize, encoded, caches } = workload;
  const pictures = pictureSize === null ? '' : `pictures of ${pictureSize.width} x ${pictureSize.height}, `;
  return [
    `${plan.checkpoint.id || 'checkpoint'}   ${plan.dtype}   batch ${workload.batch}, ` +
      `${encoded === undefined ? '' : `${encoded} encoded together, `}beams ${workload.beams}, ` +
      `${pictures}${workload.promptTokens} prompt + ${workload.newTokens} new tokens   for ${plan.engine}`,
    ...plan.devices.filter((device) => device.weightBytes > 0 || typeof device.id === 'number').map(deviceRow),
    `order  ${runsOf(plan).join('  ')}`,
    `predicted ${formatMs(cost.latencyMs)} ${callOf(plan)}${range(cost)}: ${phase('pictures', cost.imageMs)}prompt ` +
      `${formatMs(cost.promptMs)}, tokens ${formatMs(cost.tokenMs)}, crossings ${formatMs(cost.crossingMs)}` +
      (cost.streamedBytesPerCall === 0 ? '' : `; ${formatSize(cost.streamedBytesPerCall)} of weights streamed`),
    ...plan.accuracy.map(
      ({ scheme, blocks, weightError }) =>
        `${scheme}   ${blocks} blocks: their weights are off by about ${(100 * weightError).toPrecision(2)} % of their size`,
    ),
    ...(caches !== 'int8' ? [] : ['int8   keys and values: those are off by about as much']),
    proofLine(plan),
    ...plan.assumptions.map((text) => `assumed: ${text}`),
    ...plan.warnings.map((text) => `warning: ${text}`),
  ].join('\n');
}

/** A phase that takes no time is none: a language model looks at no pictures. */
const phase = (name: string, ms: number): string => (ms === 0 ? '' : `${name} ${formatMs(ms)}, `);

function callOf({ model, workload: { batch }, cost: { latencyMs } }: PlanDocument): string {
  if (model !== undefined) return 'a call';
  if (batch === 1) return 'a caption';
  const rate = (1000 * batch) / latencyMs;
  return `for ${batch} pictures, ${rate.toPrecision(rate < 100 ? 2 : 3)} a second`;
}

/** What is proven of the plan, in the terms of what it is best at. */
function proofLine({ solver, cost }: PlanDocument): string {
  const status = `solver ${solver.status}${solver.gap === 0 ? '' : `, within ${Number((100 * solver.gap).toPrecision(2))} %`}`;
  switch (solver.objective) {
    case 'latency':
      return status;
    case 'throughput':
      return `${status}, for throughput: a call every ${formatMs(cost.busiestMs)}, when every device works on a call of its own`;
    case 'fewest-devices':
      return `${status}, for the fewest GPUs`;
  }
}

function deviceRow(device: DeviceMemory): string {
  const id = typeof device.id === 'number' ? `gpu${device.id}` : device.id;
  const shown = [
    { label: 'weights', bytes: device.weightBytes },
    ...besideWeights(device).filter(({ bytes }) => bytes > 0),
    ...(device.freeBytes === null ? [] : [{ label: 'free', bytes: device.freeBytes }]),
  ].map(({ label, bytes }) => `${label} ${formatSize(bytes)}`);
  const budget =
    device.budgetBytes === null
      ? 'no limit'
      : `budget ${formatSize(device.budgetBytes)} (${formatCount(device.budgetBytes)} bytes)`;
  return `${id.padEnd(5)}  ${budget}: ${shown.join(', ')}`;
}

/** Consecutive blocks at one place, by their common name: `vision_model 39 on gpu0`. */
function runsOf(plan: PlanDocument): string[] {
  const runs: { part: string; place: string; count: number }[] = [];
  for (const { block, runsOn, execution } of plan.placements) {
    const scheme = schemeIn(plan, block);
    const part = block.split('.')[0] ?? block;
    const where = runsOn === 'cpu' ? 'cpu' : `gpu${runsOn}`;
    const notes = [...(execution === 'streamed' ? ['streamed'] : []), ...(scheme === null ? [] : [scheme])];
    const place = notes.length === 0 ? where : `${where} (${notes.join(', ')})`;
    const last = runs.at(-1);
    if (last?.part === part && last.place === place) last.count += 1;
    else runs.push({ part, place, count: 1 });
  }
  return runs.map(({ part, place, count }) => `${part}${count > 1 ? ` x${count}` : ''} ${place};`);
}

/** How far the prediction may be off, and what the first caption takes where that is more. */
function range({ latencyMs, rangeMs, firstCaptionMs = latencyMs }: PlanDocument['cost']): string {
  const first = firstCaptionMs > 1.01 * latencyMs ? `, the first ${formatMs(firstCaptionMs)}` : '';
  return rangeMs === undefined
    ? ` (estimate${first})`
    : ` (${formatMs(rangeMs.least)} to ${formatMs(rangeMs.most)}${first})`;
}
