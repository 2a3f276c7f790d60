/**
 * A plan as ONNX Runtime's `session.name_based_layer_assignment` (1.30): `device(pattern, ...); device(...)`, where a
 * node goes to the longest pattern that its name contains. Node names are module paths and an operator
 * (`vision_model.encoder.layers.3.mlp.fc1/Gemm`), so each pattern ends in the "." or "/" that ends the module's name:
 * "layers.1" alone would also claim "layers.10".
 */
import { Blip2Error } from '../../errors.js';
import { emitDeviceMap } from '../map/emit-device-map.js';
import { gpusOf, type Device } from '../map/device-map.js';
import type { PlanDocument } from '../plan/document/plan-document.js';

/**
 * A plan as the text of ONNX Runtime's `session.name_based_layer_assignment`.
 * @throws Blip2Error `ORT_SEVERAL_GPUS` where the plan runs on more than one GPU: a session has one provider per kind.
 */
export function ortAssignment(plan: PlanDocument): string {
  const runs = new Map<string, Device>(plan.placements.map(({ block, runsOn }) => [block, runsOn]));
  const gpus = gpusOf(runs);
  if (gpus.size > 1) {
    throw new Blip2Error(
      'ORT_SEVERAL_GPUS',
      `The plan runs on ${gpus.size} GPUs; one ONNX Runtime session runs on one.`,
      {
        hint: 'Use a session per GPU, as blip2-run does, or plan for one.',
      },
    );
  }
  const merged = emitDeviceMap(runs, runs.keys());
  const patterns = new Map<Device, string[]>();
  for (const [key, device] of merged) {
    const modules = key === '' ? [...new Set([...runs.keys()].map((block) => block.split('.')[0] ?? block))] : [key];
    const own = patterns.get(device) ?? [];
    own.push(...modules.flatMap((module) => [`${module}.`, `${module}/`]));
    patterns.set(device, own);
  }
  return [...patterns]
    .map(([device, own]) => `${typeof device === 'number' ? `gpu:${device}` : 'cpu'}(${own.join(', ')})`)
    .join('; ');
}
