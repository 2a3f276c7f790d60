/**
 * Predicted against measured, latency and peak memory, of every row of a results file that was planned for a budget:
 *
 *   npm run build && node bench/gpu/picture.mjs bench/gpu/results/RESULTS.json > PICTURE.svg
 *
 * "context": the plan counts what the driver takes for transformers as well. A mark lies where measured / predicted is: on the middle line the prediction was exact. The bands are what the project
 * asks of its predictions, 25 % of time and 5 % of memory. Rows of several processes: the median time, the largest peak.
 */
import { readFileSync } from 'node:fs';
import { Canvas, MARGIN, WIDTH } from '../../dist/src/planner/report/svg/canvas.js';
import { PART_COLOURS } from '../../dist/src/planner/report/svg/colours.js';
import { formatMs } from '../../dist/src/planner/report/format-ms.js';

const [file] = process.argv.slice(2);
if (file === undefined) throw new Error('which results?');
const { rows, machine } = JSON.parse(readFileSync(file, 'utf8'));
const MIB = 2 ** 20;
/** No driver takes less for a process. */
const SMALLEST_CONTEXT = 200 * MIB;
const LEFT = 235;
const RIGHT = WIDTH - MARGIN - 120;
const ROW_HEIGHT = 19;
/** Grey that is seen on light and on dark. */
const BAND = '#88888833';

const planned = repeated(rows.filter(({ predicted }) => predicted !== null && predicted !== undefined));
const canvas = new Canvas();
canvas.section('Predicted and measured');
canvas.y += 12;
canvas.text(MARGIN, machine.split(' (')[0], 's');
comparison('Time per caption', {
  tolerance: 0.25,
  colour: PART_COLOURS[0],
  pair: ({ predicted, captionMs }) => [predicted.latencyMs, captionMs],
  format: formatMs,
});
comparison('Peak memory of the card, MiB', {
  tolerance: 0.05,
  colour: PART_COLOURS[4],
  pair: ({ predicted: { gpus }, peakBytes }) => [
    gpus.reduce((sum, { budgetBytes, freeBytes }) => sum + budgetBytes - freeBytes, 0),
    peakBytes,
  ],
  format: (bytes) => String(Math.round(bytes / MIB)),
});
process.stdout.write(canvas.toSvg('Predicted and measured latency and memory'));

function comparison(title, { tolerance, colour, pair, format }) {
  canvas.section(title);
  canvas.text(WIDTH - MARGIN, 'measured / predicted', 's', 'end', canvas.y - 8);
  const ratios = planned.map((row) => pair(row)).map(([predicted, measured]) => measured / predicted);
  const reach = 1.1 * Math.max(tolerance, ...ratios.map((ratio) => Math.abs(ratio - 1)));
  const middle = (LEFT + RIGHT) / 2;
  const at = (ratio) => middle + (((ratio - 1) / reach) * (RIGHT - LEFT)) / 2;
  canvas.y += 12;
  canvas.text(at(1 - tolerance), `-${100 * tolerance} %`, 's', 'end');
  canvas.text(at(1 + tolerance), `+${100 * tolerance} %`, 's', 'start');
  const top = canvas.y + 6;
  canvas.rect(at(1 - tolerance), top, at(1 + tolerance) - at(1 - tolerance), ROW_HEIGHT * planned.length, BAND);
  canvas.path(`M${middle} ${top}v${ROW_HEIGHT * planned.length}`, 'l');
  canvas.y = top;
  for (const row of planned) {
    const [predicted, measured] = pair(row);
    const x = at(measured / predicted);
    canvas.y += ROW_HEIGHT;
    canvas.text(MARGIN, labelOf(row), 's', 'start', canvas.y - 5);
    canvas.rect(Math.min(middle, x), canvas.y - 11, Math.abs(x - middle), 3, colour);
    canvas.rect(x - 4, canvas.y - 14, 8, 8, colour);
    canvas.text(WIDTH - MARGIN, `${format(measured)} / ${format(predicted)}`, 's', 'end', canvas.y - 5);
  }
}

/** One for all processes of a row: the median of their times, the largest of their peaks. */
function repeated(all) {
  const byLabel = new Map();
  for (const row of all) byLabel.set(labelOf(row), [...(byLabel.get(labelOf(row)) ?? []), row]);
  return [...byLabel.values()].map((same) => {
    const times = same.map(({ captionMs }) => captionMs).toSorted((a, b) => a - b);
    const peakBytes = Math.max(...same.map(peakOf));
    return { ...same[0], captionMs: times[Math.floor(times.length / 2)], peakBytes };
  });
}

/** Plans for transformers count what torch allocates, unless they count the driver's share as well. */
function peakOf({ engine, predicted, torchPeakBytes, peakBytes }) {
  return engine === 'transformers' && predicted.gpus[0].overheadBytes < SMALLEST_CONTEXT ? torchPeakBytes : peakBytes;
}

/** Model, budget, what was quantised or who ran it. */
function labelOf({ model, row, engine, predicted, calibrated, batch, beams }) {
  const [kind, , scheme] = row.split(/[@+]/)[0].split(':');
  const parts = [
    model.replace('blip2-', ''),
    `${predicted.gpus.map(({ budgetBytes }) => budgetBytes / 2 ** 30).join(' + ')} GiB`,
    scheme,
    engine === 'transformers'
      ? predicted.gpus[0].overheadBytes < SMALLEST_CONTEXT
        ? engine
        : `${engine}, context`
      : null,
    kind === 'webgpu' ? 'WebGPU' : null,
    calibrated === true ? 'calibrated' : null,
    batch === undefined ? null : `${batch} x ${beams}`,
  ];
  return parts.filter((part) => part !== undefined && part !== null).join(' ');
}
