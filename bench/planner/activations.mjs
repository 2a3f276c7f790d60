/**
 * What prompts and pictures take beside weights, as plans count it, against peaks of another device than the fixture's CPU.
 *
 *   python test/fixtures/planner/record_activations.py --cuda > on-card.json     # on the card
 *   node bench/planner/activations.mjs on-card.json
 */
import { readFileSync } from 'node:fs';
import { loadModelTable } from '../../dist/src/planner/models/load-model-table.js';
import { preparePlan } from '../../dist/src/planner/plan/request/prepare-plan.js';

const read = (path) => JSON.parse(readFileSync(path, 'utf8'));
const recorded = read(new URL('../../test/fixtures/planner/activations.json', import.meta.url));
const [path] = process.argv.slice(2);
if (path === undefined) throw new Error('usage: node bench/planner/activations.mjs PEAKS.json');
const peaks = read(path);
const models = await loadModelTable();

function counted({ config, file, promptTokens }, isPicture) {
  const tensors = new Map(Object.entries(file).map(([name, [dtype, ...shape]]) => [name, { dtype, shape }]));
  const budgets = { gpus: new Map(), ramBytes: null, diskBytes: 0 };
  const workload = { promptTokens, newTokens: 1 };
  const { blocks } = preparePlan(tensors, { config, models, engine: 'transformers', budgets, workload }).profile;
  const used = isPicture ? blocks.filter(({ phase }) => phase === 'image') : blocks;
  const kept = used.reduce((sum, block) => sum + block.cacheElements * block.elementBytes, 0);
  return kept + Math.max(...used.map((block) => block.activationElements * block.elementBytes));
}

for (const kind of ['models', 'pictures', 'encoders']) {
  for (const row of recorded[kind]) {
    const found = peaks[kind].find(({ family }) => family === row.family);
    if (found?.peakBytes === undefined) {
      console.log(`${row.family}: ${found?.failed ?? 'not measured'}`);
      continue;
    }
    const bytes = counted(row, kind === 'pictures');
    const ratio = (bytes / found.peakBytes).toFixed(2);
    console.log(`${row.family}: counted ${bytes}, peak ${found.peakBytes} (${ratio}), on a CPU ${row.peakBytes}`);
  }
}
