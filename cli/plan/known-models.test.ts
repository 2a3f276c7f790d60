import { expect, it } from 'vitest';
import type { TensorInfo } from '../../src/planner/index.js';
import { knownModels } from './known-models.js';

const tensors = new Map<string, TensorInfo>([['blocks.0.attn.qkv.weight', { dtype: 'F32', shape: [8, 8] }]]);
const published = { architecture: 'vit_base_patch16_224', pretrained_cfg: { tag: 'augreg_in21k' } };

// FakeTensorDeviceMismatchError in forward_features, bench/planner/run_on_fake_card.py --two-cards TimmWrapperModel.
it.each([published, { model_type: 'timm_wrapper', architectures: ['TimmWrapperModel'] }])(
  'a model of timm is refused for two GPUs, and not for one: %j',
  async (config) => {
    await expect(knownModels(tensors, config, { gpus: 2 })).rejects.toThrow(
      'which transformers runs by methods that no hook is on',
    );
    const { warnings } = await knownModels(tensors, config, { gpus: 1 });
    expect(warnings).toHaveLength(1);
  },
);
