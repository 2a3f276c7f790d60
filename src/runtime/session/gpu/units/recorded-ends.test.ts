/**
 * WebGPU replays the kernels of a recorded run, and no copies: an output of a recorded graph that an operator only copies, as `Reshape`
 * does, would stay as it was when the run was recorded. ONNX Runtime 1.30 says nothing of it.
 */
import { join } from 'node:path';
import { fromBinary } from '@bufbuild/protobuf';
import { describe, expect, it } from 'vitest';
import { DEMO, GOLDENS } from '../../../../../test/golden/golden.js';
import { openCheckpoint } from '../../../../loader/index.js';
import { parseBlip2Config } from '../../../../model/blip2-config.js';
import { GPU_LAYERS, gpuCacheWires, gpuTokenSteps } from '../../../graph/gpu/gpu-programs.js';
import { webgpuStyle } from '../../../graph/gpu/gpu-style.js';
import { Weights } from '../../../graph/weights.js';
import { ModelProtoSchema } from '../../../onnx/onnx_pb.js';
import { hostDevice } from '../device/host-device.js';
import { gpuUnits } from './gpu-units.js';

const COPIES = /^(Reshape|Squeeze|Unsqueeze|Flatten|Identity)$/;
const FOLDERS = [DEMO, ...['tiny-opt', 'tiny-flan-t5', 'tiny-instructblip-llama'].map((name) => join(GOLDENS, name))];
const FORMS = FOLDERS.flatMap((folder) =>
  (['fused', 'biased', 'plain'] as const).map((attention) => [attention, folder] as const),
);

describe('graphs of tokens for WebGPU', () => {
  it.each(FORMS)('end in kernels with %s attention: %s', async (attention, folder) => {
    const checkpoint = await openCheckpoint(folder);
    const config = parseBlip2Config(checkpoint.config);
    const device = { ...hostDevice({}), style: webgpuStyle('F16', attention), canRecord: true };
    const steps = gpuTokenSteps(config);
    const outputs = ['logits', 'next_ids', ...steps.flatMap(({ block }) => gpuCacheWires('token', block))];
    const tensors = [...checkpoint.tensors].map(([name, tensor]) => [name, { ...tensor, dtype: 'F16' }] as const);
    const weights = new Weights(config, new Map(tensors));
    const picture = { rows: 1, columns: 1, positions: null };
    const sources = { config, weights, folder: '/', picture, joinsRows: true };
    // Every second layer passes, so that stretches end at each kind of block.
    const placeOf = (name: string) => ({ device, isResident: !name.endsWith('.1') });
    for (const { stage } of gpuUnits(steps, sources, placeOf, outputs, GPU_LAYERS, true)) {
      const { graph } = fromBinary(ModelProtoSchema, stage.model());
      const made = new Map(graph?.node.flatMap(({ opType, output }) => output.map((name) => [name, opType] as const)));
      for (const { name } of graph?.output ?? []) expect(made.get(name), name).not.toMatch(COPIES);
    }
  });
});
