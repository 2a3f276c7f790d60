/**
 * Plans for many models at once: a line of JSON in ({ config, tensors: { name: [dtype, shape] }, fractions }), a line out, with
 * a map per fraction of the loaded bytes; with `twoCards`, maps for two; or, with `maps`, what is said against each of those.
 * For check_models.py and run_on_fake_card.py.
 */
import { createInterface } from 'node:readline';
import { loadModelTable } from '../../dist/src/planner/models/load-model-table.js';
import { explainMap, parseDeviceMap, planDeviceMap, transformersStrategy } from '../../dist/src/planner/index.js';
import { preparePlan } from '../../dist/src/planner/plan/request/prepare-plan.js';

const models = await loadModelTable();
const slow = { memoryBytesPerSecond: 2e9, flopsPerSecond: 2e10 };
const { KNOWN_GPUS, UNKNOWN_HOST } = await import('../../dist/src/planner/index.js');
const machine = { gpus: [KNOWN_GPUS.get('RTX 4090')], host: { ...UNKNOWN_HOST, ...slow } };

/** Blocks that may be on either card, in turns, beginning with either. */
const PINNINGS = [(index) => index % 2, (index) => 1 - (index % 2)];

function pinned(blocks, cardOf) {
  const bound = new Map();
  return new Map(
    blocks
      .filter(({ onMainGpu }) => onMainGpu !== true)
      .map((block, index) => {
        const card = bound.get(block.bond) ?? cardOf(index);
        if (block.bond !== null) bound.set(block.bond, card);
        return [block.name, card];
      }),
  );
}

function onTwoCards(table, options) {
  const budgets = { gpus: new Map([0, 1].map((gpu) => [gpu, 1e13])), ramBytes: null, diskBytes: 0 };
  const { profile } = preparePlan(table, { ...options, budgets });
  const cards = (share) => new Map([0, 1].map((gpu) => [gpu, Math.ceil(profile.weightBytes * share) + 2e8]));
  // Room for all, and for two thirds of it.
  const asked = [0.55, 0.33].map((share) => ({ budgets: { ...budgets, gpus: cards(share) } }));
  for (const cardOf of PINNINGS) asked.push({ budgets, pins: pinned(profile.blocks, cardOf) });
  return asked.map((each) => {
    try {
      const result = planDeviceMap(table, { ...options, explain: false, ...each });
      return result.status === 'infeasible' ? null : result.plan.device_map;
    } catch (error) {
      return String(error.message);
    }
  });
}

/** What a call takes beside weights at most, and the block that does. */
function takenBy({ blocks, workload }) {
  const bytesOf = (block) => block.activationElements * block.elementBytes;
  const cacheBytes = blocks.reduce((sum, block) => sum + block.cacheElements * block.elementBytes, 0);
  const largest = blocks.reduce((a, b) => (bytesOf(b) > bytesOf(a) ? b : a));
  return { promptTokens: workload.promptTokens, bytes: cacheBytes + bytesOf(largest), block: largest.name };
}

const withGpu = (budgets, bytes) => ({ ...budgets, gpus: new Map([[0, Math.ceil(bytes)]]) });

for await (const line of createInterface({ input: process.stdin })) {
  const { config, tensors, fractions, dtype, auto, maps, twoCards, workload } = JSON.parse(line);
  const table = new Map(Object.entries(tensors).map(([name, [type, shape]]) => [name, { dtype: type, shape }]));
  const started = performance.now();
  try {
    const options = { config, models, engine: 'transformers', machine, ...(dtype === undefined ? {} : { dtype }) };
    const none = { gpus: new Map(), ramBytes: null, diskBytes: 0 };
    if (maps !== undefined) {
      const issues = maps.map((map) => explainMap(parseDeviceMap(map), table, { ...options, budgets: none }).issues);
      console.log(JSON.stringify({ issues: issues.map((of) => of.map(({ code, message }) => `${code}: ${message}`)) }));
      continue;
    }
    if (workload !== undefined) {
      console.log(JSON.stringify(takenBy(preparePlan(table, { ...options, budgets: none, workload }).profile)));
      continue;
    }
    if (twoCards === true) {
      console.log(JSON.stringify({ maps: onTwoCards(table, options) }));
      continue;
    }
    const { profile } = preparePlan(table, { ...options, budgets: none });
    const answers = fractions.map((fraction) => {
      const budgets = {
        gpus: new Map([[0, Math.floor(profile.weightBytes * fraction)]]),
        ramBytes: null,
        diskBytes: 0,
      };
      const result = planDeviceMap(table, { ...options, budgets });
      if (result.status === 'infeasible') return { fraction, map: null };
      const { plan } = result;
      const weights = Object.fromEntries(plan.devices.map(({ id, weightBytes }) => [id, weightBytes]));
      const perToken = plan.cost.streamedBytesPerToken;
      if (auto !== true) return { fraction, map: plan.device_map, weights, perToken };
      // What transformers would answer, priced by the same list.
      const map = transformersStrategy({
        tensors: table,
        config,
        models,
        budgets,
        dtype: plan.dtype,
        strategy: 'balanced',
      });
      const theirs = explainMap(map, table, { ...options, budgets });
      const over = theirs.overBudget.reduce((sum, { bytes }) => sum + bytes, 0);
      const ms = { ours: plan.cost.latencyMs, auto: theirs.plan?.cost.latencyMs ?? null };
      const autoPerToken = theirs.plan?.cost.streamedBytesPerToken ?? null;
      // Ours, where it is given as much as theirs takes, and a thousandth for what makes the GPU the main one.
      const taken = 1.001 * (budgets.gpus.get(0) + over);
      const asMuch = over === 0 ? result : planDeviceMap(table, { ...options, budgets: withGpu(budgets, taken) });
      return {
        fraction,
        map: plan.device_map,
        weights,
        perToken,
        perTokenAsMuch: asMuch.status === 'infeasible' ? null : asMuch.plan.cost.streamedBytesPerToken,
        autoPerToken,
        autoMap: [...map.values()].includes(0),
        over,
        ms,
      };
    });
    const ms = Math.round(performance.now() - started);
    const bufferBytes = profile.blocks.reduce((sum, block) => sum + block.bufferBytes, 0);
    const { weightBytes } = profile;
    console.log(JSON.stringify({ class: profile.assumptions[0], weightBytes, bufferBytes, ms, answers }));
  } catch (error) {
    console.log(JSON.stringify({ error: String(error.message ?? error).slice(0, 300) }));
  }
}
