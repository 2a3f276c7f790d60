import { describe, expect, it } from 'vitest';
import { parseBlip2Config } from '../../../../model/blip2-config.js';
import { blip2Tensors } from '../../../../model/blip2-tensors.js';
import { PRESETS } from '../../../../model/presets.js';
import type { PictureSize } from '../../../../model/picture-size.js';
import { blip2Profiler } from '../blip2-profile.js';
import type { Engine } from '../../../map/engine.js';
import { parseWorkload } from '../../workload/workload.js';

function profileOf(name: string, pictureSize: PictureSize | null, engine: Engine = 'blip2-run') {
  const preset = PRESETS.get(name);
  if (preset === undefined) throw new Error(name);
  const config = parseBlip2Config(preset.config);
  const workload = parseWorkload({ pictureSize });
  const tensors = blip2Tensors(config, { dtype: 'F16', ownHead: preset.ownHead });
  return blip2Profiler(tensors, config, { dtype: 'float16', engine })(workload);
}

describe('the size of pictures', () => {
  it('costs what it costs in a model that was made for it, and a table of positions', () => {
    const asked = profileOf('Salesforce/blip2-opt-2.7b', { height: 364, width: 364 });
    const made = profileOf('Salesforce/blip2-opt-2.7b-coco', null);
    const sizes = ({ runs, activationElements, hostTraffic }: (typeof made.blocks)[number]) => ({
      runs: runs.map(({ flops, outputElements, stateBytes }) => ({ flops, outputElements, stateBytes })),
      activationElements,
      hostTraffic,
    });
    expect(asked.blocks.map(sizes)).toEqual(made.blocks.map(sizes));
    // 26 x 26 patches and the class token, float32.
    expect(asked.blocks.map(({ bufferBytes }) => bufferBytes).filter((bytes) => bytes > 0)).toEqual([4 * 677 * 1408]);
    expect(profileOf('Salesforce/blip2-opt-2.7b', { height: 224, width: 224 }).blocks).toEqual(
      profileOf('Salesforce/blip2-opt-2.7b', null).blocks,
    );
  });

  it('is refused where it is less than a patch, or no size', () => {
    expect(() => profileOf('Salesforce/blip2-opt-2.7b', { height: 364, width: 13 })).toThrow(
      expect.objectContaining({ code: 'IMAGE_SIZE' }),
    );
    expect(() => parseWorkload({ pictureSize: { height: 0, width: 364 } })).toThrow(
      expect.objectContaining({ code: 'WORKLOAD_INVALID' }),
    );
  });
});
