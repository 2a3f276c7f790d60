import { readFileSync } from 'node:fs';
import { beforeAll, describe, expect, it } from 'vitest';
import { parseBlip2Config } from '../../model/blip2-config.js';
import { blip2Tensors } from '../../model/blip2-tensors.js';
import { DEFAULT_PRESET, PRESETS } from '../../model/presets.js';
import { formatSize } from '../../size.js';
import type { Device } from '../map/device-map.js';
import { diffPlans } from '../plan/comparison/diff-plans.js';
import { explainMap } from '../plan/comparison/explain-map.js';
import type { PlanOptions } from '../plan/request/plan-options.js';
import { type PlanDocument, parsePlan, planJsonSchema } from '../plan/document/plan-document.js';
import { planDeviceMap } from '../plan/plan-device-map.js';
import { sweepBudgets } from '../plan/comparison/sweep.js';
import { ortAssignment } from './ort-assignment.js';
import { PAGE_LOCK } from './page-lock-python.js';
import { pythonSnippet } from './python-snippet.js';
import { svgPicture } from './svg-picture.js';
import { textPicture } from './text-picture.js';
import { treemap } from './svg/treemap.js';

const preset = PRESETS.get(DEFAULT_PRESET);
if (preset === undefined) throw new Error('preset');
const tensors = blip2Tensors(parseBlip2Config(preset.config), { dtype: 'F32', ownHead: false });
const options = (gib: number, rest: Partial<PlanOptions> = {}): PlanOptions => ({
  config: preset.config,
  checkpoint: { id: 'a <b> & "c"', files: [], fingerprint: null },
  budgets: { gpus: new Map([[0, gib * 2 ** 30]]), ramBytes: null, diskBytes: 0 },
  ...rest,
});
const planOf = (gib: number, rest: Partial<PlanOptions> = {}): PlanDocument => {
  const result = planDeviceMap(tensors, options(gib, rest));
  if (result.status === 'infeasible') throw new Error('does not fit');
  return result.plan;
};
let small: PlanDocument;
let large: PlanDocument;
beforeAll(() => {
  small = planOf(4);
  large = planOf(10);
});

describe('plan documents', () => {
  it('are the same bytes for the same input, and read back as they were', () => {
    const text = JSON.stringify(small);
    expect(JSON.stringify(planOf(4))).toBe(text);
    expect(parsePlan(JSON.parse(text))).toEqual(small);
    expect(() => parsePlan({ ...small, engine: 'x' })).toThrow(expect.objectContaining({ code: 'PLAN_INVALID' }));
  });

  it('of maps that do not fit are read, too, and say by how much', () => {
    const { plan } = explainMap(new Map([['', 0]]), tensors, options(2));
    if (plan === null) throw new Error('every block has a device');
    expect(parsePlan(JSON.parse(JSON.stringify(plan)))).toEqual(plan);
    const over = formatSize(-(plan.devices.find(({ id }) => id === 0)?.freeBytes ?? 0));
    for (const picture of [svgPicture(plan), textPicture(plan, { width: 80 })])
      expect(picture).toContain(`of 2 GiB, ${over} too much`);
  });

  it('have a JSON Schema that names every field', () => {
    const schema = JSON.stringify(planJsonSchema());
    for (const field of Object.keys(small)) expect(schema).toContain(`"${field}"`);
    const published = JSON.parse(readFileSync(new URL('../../../schema/plan-1.schema.json', import.meta.url), 'utf8'));
    expect(published).toEqual(JSON.parse(schema));
  });
});

describe('pictures', () => {
  it('name every part and every device in words', () => {
    for (const picture of [svgPicture(small), textPicture(small, { width: 80 })]) {
      for (const word of [
        'GPU 0',
        'CPU',
        'vision_model',
        'qformer',
        'language_projection',
        'language_model',
        'caches',
      ]) {
        expect(picture).toContain(word);
      }
    }
  });

  it('name every part of the model where its bytes are, on its area or below', () => {
    const whole = svgPicture(small);
    const words = whole.slice(whole.indexOf('Where the bytes are')).replaceAll(/<title>.*?<\/title>/g, '');
    for (const part of new Set(small.placements.map(({ block }) => block.split('.')[0]))) {
      expect(words).toMatch(new RegExp(`[> ]${part}[< ]`));
    }
  });

  it('escape what they quote, and load nothing', () => {
    const svg = svgPicture(small, { measured: { label: '<script>', latencyMs: 1, gpuPeakBytes: 1 } });
    expect(svg).toContain('a &lt;b&gt; &amp; &quot;c&quot;');
    expect(svg).not.toMatch(/<script|src=|href=|url\(http|@import/);
  });

  it('keep to the width of the terminal', () => {
    for (const width of [40, 80, 120]) {
      const rows = textPicture(small, { width })
        .split('\n')
        .filter((row) => /^(GPU|CPU| {8}[A-Za-z[])/.test(row));
      for (const row of rows) expect(row.length).toBeLessThanOrEqual(width + 4);
    }
  });
});

describe('treemap', () => {
  it('gives every size its share of the area, inside it', () => {
    const area = { x: 10, y: 20, width: 300, height: 100 };
    const sizes = [50, 1, 30, 0, 12, 7];
    const boxes = treemap(sizes, area);
    for (const [i, box] of boxes.entries()) {
      expect(box.width * box.height).toBeCloseTo((300 * 100 * (sizes[i] ?? 0)) / 100, 6);
      expect(box.x).toBeGreaterThanOrEqual(10 - 1e-9);
      expect(box.x + box.width).toBeLessThanOrEqual(310 + 1e-9);
      expect(box.y + box.height).toBeLessThanOrEqual(120 + 1e-9);
    }
  });
});

describe('formats', () => {
  it('write Python that holds the whole map', () => {
    const python = pythonSnippet(small);
    for (const [key, device] of Object.entries(small.device_map)) {
      expect(python).toContain(`${JSON.stringify(key)}: ${JSON.stringify(device)},`);
    }
    expect(python).toContain('max_memory = {0: 4294967296, "cpu":');
  });

  it('write Python that asks for the variant and the revision of what was named', () => {
    const named = (id: string, file: string) =>
      pythonSnippet({ ...small, checkpoint: { id, files: [file], fingerprint: null } });
    expect(named('x/model.fp16.safetensors', 'model.fp16.safetensors')).toMatch(
      /processor = \w+\.from_pretrained\("x"\)\nmodel = \w+\.from_pretrained\(\n {4}"x",\n {4}variant="fp16",\n {4}device_map/,
    );
    expect(named('https://hub.example/o/n/resolve/v1/model.safetensors', 'model.safetensors')).toMatch(
      /from_pretrained\("o\/n", revision="v1"\)\n.*\n {4}"o\/n",\n {4}revision="v1",\n {4}device_map/,
    );
  });

  it('write Python that page-locks what it streams where the plan counts on that, and no other', () => {
    const of = (gib: number, pageLocked: boolean) => pythonSnippet(planOf(gib, { engine: 'transformers', pageLocked }));
    const python = of(4, true);
    expect(python.startsWith('import mmap\nimport weakref\n\nimport torch\n')).toBe(true);
    expect(python.endsWith(`\n).eval()\n\n\n${PAGE_LOCK}\n\npage_lock(model)\n`)).toBe(true);
    // Without pageLocked, and with everything on the GPU.
    for (const other of [of(4, false), of(10, true)]) expect(other).not.toMatch(/mmap|weakref|page_lock/);
    expect(of(4, false).endsWith('\n).eval()\n')).toBe(true);
    // What was measured is what is written.
    const measured = readFileSync(new URL('../../../bench/gpu/page_lock.py', import.meta.url), 'utf8');
    expect(measured.endsWith(`\nimport mmap\nimport weakref\n\nimport torch\n\n\n${PAGE_LOCK}`)).toBe(true);
  });

  it('write an ONNX Runtime assignment in which every block has one longest pattern, on its own device', () => {
    const rules = ortAssignment(small)
      .split('; ')
      .flatMap((rule) => {
        const [, device = '', patterns = ''] = /^([^(]+)\((.*)\)$/.exec(rule) ?? [];
        return patterns.split(', ').map((pattern) => ({ device, pattern }));
      });
    for (const { block, runsOn } of small.placements) {
      for (const node of [`${block}/Gemm`, `${block}.fc1/Gemm`]) {
        const hits = rules.filter(({ pattern }) => node.includes(pattern));
        const longest = Math.max(...hits.map(({ pattern }) => pattern.length));
        const devices = new Set(hits.filter(({ pattern }) => pattern.length === longest).map(({ device }) => device));
        expect([...devices], node).toEqual([runsOn === 'cpu' ? 'cpu' : `gpu:${runsOn}`]);
      }
    }
  });
});

describe('explaining and comparing', () => {
  it('prices a hand-written map by the same rules, and never below the planner', () => {
    const map = new Map<string, Device>([
      ['language_model', 0],
      ['query_tokens', 0],
    ]);
    const rest = new Map<string, Device>([
      ...map,
      ['vision_model', 'cpu'],
      ['qformer', 'cpu'],
      ['language_projection', 'cpu'],
    ]);
    const given = explainMap(rest, tensors, options(6, { engine: 'transformers' }));
    expect(given.issues).toEqual([]);
    expect(given.overBudget).toEqual([]);
    const ours = planOf(6, { engine: 'transformers' });
    expect(given.plan?.cost.latencyMs ?? 0).toBeGreaterThan(ours.cost.latencyMs);
    expect(given.plan?.cost.streamedBytesPerCall).toBe(1_971_904_512 + 420_550_656 + 3_937_280);
    expect(explainMap(rest, tensors, options(4, { engine: 'transformers' })).overBudget).toMatchObject([{ device: 0 }]);
    expect(explainMap(map, tensors, options(6)).plan).toBeNull();
  });

  it('gives our own map our own price back', () => {
    for (const engine of ['transformers', 'blip2-run'] as const) {
      const ours = planOf(5, { engine });
      const again = explainMap(new Map(Object.entries(ours.device_map)), tensors, options(5, { engine }));
      expect(again.issues).toEqual([]);
      expect(again.plan?.cost.latencyMs).toBeCloseTo(ours.cost.latencyMs, 2);
    }
  });

  it('lists what moved between two plans', () => {
    const diff = diffPlans(small, large);
    const stayed = small.placements.filter(({ execution }) => execution === 'resident').length;
    expect(diff.moved).toHaveLength(small.placements.length - stayed);
    expect(diff.latencyMs.after).toBeLessThan(diff.latencyMs.before);
    expect(diffPlans(small, small).moved).toEqual([]);
    const [before, after] = [false, true].map((pageLocked) => planOf(5, { engine: 'transformers', pageLocked }));
    if (before === undefined || after === undefined) throw new Error('plans');
    expect(diffPlans(before, after).pageLocked).toEqual({ before: false, after: true });
  });

  it('sweeps budgets: more memory never costs time', () => {
    const points = sweepBudgets(tensors, options(0), { fromBytes: 2 ** 31, toBytes: 2 ** 33, points: 5 });
    const latencies = points.map((point) => point.latencyMs ?? Infinity);
    expect(latencies).toEqual(latencies.toSorted((a, b) => b - a));
    expect(points.some((point) => point.step?.includes('language_model') === true)).toBe(true);
  });
});
