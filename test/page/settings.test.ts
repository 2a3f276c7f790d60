/** The settings of the page in its address, and in the command's flags. */
import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import { createParser, parseArgs } from '../../cli/common/parser.js';
import { planFlags } from '../../cli/plan/plan.js';
import { readRequest } from '../../cli/plan/plan-request.js';
import { REQUEST_LISTS, requestFlags } from '../../cli/plan/request-flags.js';
import { PRESETS } from '../../src/model/presets.js';
import { OBJECTIVES } from '../../src/planner/plan/request/plan-options.js';
import { KNOWN_GPUS } from '../../src/planner/price/known-devices.js';
import { LOAD_DTYPES } from '../../src/tensor/load-dtype.js';
import { openPreset } from '../../web/src/model/open-model.js';
import { commandArguments } from '../../web/src/settings/command-line.js';
import { planQuestion, type PlanQuestion } from '../../web/src/settings/plan-options.js';
import { readSettings, settingsHash } from '../../web/src/settings/settings-hash.js';
import { DEFAULT_SETTINGS, type CardGroup, type Settings } from '../../web/src/settings/settings.js';
import { withRemedy } from '../../web/src/settings/with-remedy.js';

const bytes = fc.integer({ min: 1, max: 2 ** 40 });
const count = fc.integer({ min: 1, max: 100_000 });
const group: fc.Arbitrary<CardGroup> = fc.oneof(
  fc.record({
    card: fc.constantFrom(...KNOWN_GPUS.keys()),
    count: fc.integer({ min: 1, max: 8 }),
    memoryBytes: fc.option(bytes),
  }),
  fc.record({ card: fc.constant(null), count: fc.integer({ min: 1, max: 8 }), memoryBytes: bytes }),
);
const settings: fc.Arbitrary<Settings> = fc.record({
  model: fc.oneof(
    fc.record({ kind: fc.constant('preset' as const), id: fc.constantFrom(...PRESETS.keys()) }),
    fc.record({ kind: fc.constant('hub' as const), id: fc.constantFrom('owner/name', 'a.b-c/d_e.f') }),
    fc.record({
      kind: fc.constant('held' as const),
      id: fc.constantFrom('model.safetensors', './a b&c=d#e/ü', '<img>'),
    }),
  ),
  hub: fc.constantFrom('https://huggingface.co', 'http://127.0.0.1:8080', 'https://mirror.example/hf'),
  groups: fc.array(group, { maxLength: 4 }),
  ramBytes: fc.option(bytes),
  diskBytes: fc.oneof(fc.constant(0), bytes),
  reserveBytes: fc.oneof(fc.constant(0), bytes),
  countContext: fc.boolean(),
  batch: fc.oneof(fc.constant('auto' as const), count),
  beams: count,
  promptTokens: fc.option(count),
  newTokens: fc.option(count),
  dtype: fc.option(fc.constantFrom(...LOAD_DTYPES)),
  quant: fc.constantFrom([], ['int8' as const], ['int4' as const], ['int8' as const, 'int4' as const]),
  engine: fc.option(fc.constantFrom('blip2-run' as const, 'transformers' as const)),
  objective: fc.constantFrom(...OBJECTIVES),
  cutsLayers: fc.boolean(),
  pageLocked: fc.boolean(),
  searchSeconds: fc.option(fc.constantFrom(10, 60)),
});

it('are what their address says', () => {
  fc.assert(
    fc.property(settings, (given) => {
      const hash = settingsHash(given);
      expect(readSettings(hash)).toEqual({ settings: given, faults: [] });
      // As a browser gives it back.
      expect(readSettings(new URL(`file:///page.html#${hash}`).hash).settings).toEqual(given);
    }),
  );
});

it('are a command that takes its flags, and counts the driver as they do', async () => {
  await fc.assert(
    fc.asyncProperty(settings, async (given) => {
      const parser = requestFlags(createParser('blip2-plan plan', '$0 [checkpoint]', '')).positional('checkpoint', {
        type: 'string',
      });
      const args = await parseArgs(parser, commandArguments(given, 'owner/name'), REQUEST_LISTS);
      expect(args?.['cut-layers'] ?? false).toBe(given.cutsLayers);
      expect(args?.['page-lock'] ?? false).toBe(given.pageLocked);
      if (given.groups.length === 0) return;
      const isWhole = args?.vram === undefined;
      expect(args?.['count-context'] ?? isWhole).toBe(given.countContext);
    }),
    { numRuns: 40 },
  );
});

it('ask of the planner what the command does that they are', async () => {
  const one = fc.constantFrom(...PRESETS.keys());
  await fc.assert(
    fc.asyncProperty(settings, one, fc.boolean(), async (any, id, isNamed) => {
      const groups = any.groups.filter(({ card }) => (card !== null) === isNamed);
      const ramBytes = any.ramBytes ?? (groups.length === 0 ? 2 ** 34 : null);
      const given: Settings = { ...any, model: { kind: 'preset', id }, groups, ramBytes };
      let asked: PlanQuestion;
      try {
        asked = planQuestion(given, openPreset(id), {});
      } catch {
        await expect(commandRequest(given, id)).rejects.toMatchObject({ code: 'USAGE' });
        return;
      }
      // As the page shows it: of another engine there is nothing to lock.
      const shown = { ...given, pageLocked: asked.options.pageLocked === true };
      expect(plain(await commandRequest(shown, id))).toEqual(plain(asked));
    }),
    { numRuns: 50 },
  );
});

async function commandRequest(given: Settings, id: string): Promise<PlanQuestion> {
  const parser = planFlags(createParser('blip2-plan plan', '$0 [checkpoint]', ''));
  const args = await parseArgs(parser, [...commandArguments(given, id), '--profile', 'none'], REQUEST_LISTS);
  if (args === null) throw new Error('help was asked for');
  return readRequest(args);
}

/** What decides a plan, with what is usual. The page's worker has the solver. */
function plain({ options, batches }: PlanQuestion): object {
  const { integerSolver: _, workload, reserveBytes = 0, countContext, ...others } = options;
  // One that is settled is no choice.
  const choice = batches?.length === 1 ? { batch: batches[0] } : { batches };
  const counts = countContext === true && options.budgets.gpus.size > 0;
  return { ...others, reserveBytes, countContext: counts, workload: { batch: 1, beams: 1, ...workload, ...choice } };
}

it('are the usual ones without an address, whatever else it says', () => {
  expect(settingsHash({ ...DEFAULT_SETTINGS })).toBe('');
  fc.assert(
    fc.property(fc.string(), (hash) => {
      expect(Object.keys(readSettings(hash).settings)).toEqual(Object.keys(DEFAULT_SETTINGS));
    }),
  );
});

it('take a remedy for one card of the largest, as the planner means it', () => {
  const groups = [
    { card: 'RTX 3060', count: 2, memoryBytes: null },
    { card: 'T4', count: 1, memoryBytes: 2 ** 30 },
  ];
  const remedy = { kind: 'budget', flag: '--vram 13GiB', addedBytes: 2 ** 30, latencyMs: null } as const;
  expect(withRemedy({ ...DEFAULT_SETTINGS, groups }, remedy)?.groups).toEqual([
    { card: 'RTX 3060', count: 1, memoryBytes: 13 * 2 ** 30 },
    { card: 'RTX 3060', count: 1, memoryBytes: null },
    groups[1],
  ]);
});
