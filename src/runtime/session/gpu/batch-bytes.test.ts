import { describe, expect, it } from 'vitest';
import { parseBlip2Config } from '../../../model/blip2-config.js';
import { PRESETS } from '../../../model/presets.js';
import { batchBytes } from './batch-bytes.js';

const GIB = 2 ** 30;
const config = parseBlip2Config(PRESETS.get('Salesforce/blip2-opt-2.7b')?.config);
const bytes = (rows: number, encoded: number) => batchBytes(config, 'F16', { rows, encoded, tokens: 64 });

describe('batchBytes', () => {
  it('is no less than what an H200 took for opt-2.7b', () => {
    // 9033 MiB for 8 pictures with 5 beams and 7955 for one, both with 64 tokens of caches (bench/gpu).
    expect(bytes(40, 8) - bytes(1, 1)).toBeGreaterThan((9033 - 7955) * 2 ** 20);
  });

  it('leaves no room for 256 rows beside the weights on a card of 12 GiB, and room for some', () => {
    const weights = 7.2 * GIB;
    expect(weights + bytes(256, 64)).toBeGreaterThan(12 * GIB);
    expect(weights + bytes(32, 32)).toBeLessThan(12 * GIB);
  });
});
