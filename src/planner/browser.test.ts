import { createContext, runInContext } from 'node:vm';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { expect, it } from 'vitest';
import { blip2Tensors, DEFAULT_PRESET, parseBlip2Config, planDeviceMap, PRESETS } from './index.js';

it('plans in a browser: the bundle imports nothing, and agrees with Node', async () => {
  const bundle = await build({
    entryPoints: [fileURLToPath(new URL('index.ts', import.meta.url))],
    bundle: true,
    platform: 'browser',
    format: 'iife',
    globalName: 'planner',
    write: false,
    minify: true,
    metafile: true,
  });
  const imports = Object.values(bundle.metafile.inputs).flatMap((input) => input.imports.map((each) => each.path));
  expect(imports.filter((path) => path.startsWith('node:') || path.includes('onnxruntime'))).toEqual([]);
  const code = bundle.outputFiles[0]?.text ?? '';
  expect(code.length).toBeLessThan(600_000);

  // A bare JavaScript realm: no process, no require, no Buffer.
  const realm = createContext({});
  runInContext(code, realm);
  const answer: unknown = runInContext(
    `(() => {
      const preset = planner.PRESETS.get(planner.DEFAULT_PRESET);
      const tensors = planner.blip2Tensors(planner.parseBlip2Config(preset.config), { dtype: 'F32', ownHead: preset.ownHead });
      const budgets = { gpus: new Map([[0, 4 * 2 ** 30]]), ramBytes: null, diskBytes: 0 };
      const result = planner.planDeviceMap(tensors, { config: preset.config, budgets });
      return JSON.stringify(result.plan) + planner.svgPicture(result.plan);
    })()`,
    realm,
  );
  const preset = PRESETS.get(DEFAULT_PRESET);
  if (preset === undefined) throw new Error('preset');
  const here = planDeviceMap(blip2Tensors(parseBlip2Config(preset.config), { dtype: 'F32', ownHead: preset.ownHead }), {
    config: preset.config,
    budgets: { gpus: new Map([[0, 4 * 2 ** 30]]), ramBytes: null, diskBytes: 0 },
  });
  if (here.status === 'infeasible') throw new Error('does not fit');
  expect(String(answer).startsWith(JSON.stringify(here.plan))).toBe(true);
});
