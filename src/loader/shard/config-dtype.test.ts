import { readFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { withConfigDtype } from './config-dtype.js';

const dtypes = { model: 'float32', parts: 'float16' };

describe('withConfigDtype', () => {
  it('says of the demo model what save_pretrained says, and changes nothing else', async () => {
    const text = await readFile(new URL('../../../models/demo/config.json', import.meta.url), 'utf8');
    // transformers 5.17: from_pretrained(dtype=torch.float16), which keeps the Q-Former in float32, then save_pretrained.
    const saved = JSON.parse(withConfigDtype(text, dtypes)) as Record<string, { dtype: string }>;
    expect(saved['dtype']).toBe('float32');
    for (const part of ['vision_config', 'qformer_config', 'text_config']) expect(saved[part]?.dtype).toBe('float16');
    const removed = (json: string) => json.replaceAll(/"dtype": "float\d\d"/g, '');
    expect(removed(withConfigDtype(text, dtypes))).toBe(removed(text));
  });

  it('keeps the older name, numbers as they are written, and adds what is missing', () => {
    const older = '{"eps": 1e-05, "torch_dtype": "bfloat16", "a": {"torch_dtype": null, "n": 1.0}}';
    expect(withConfigDtype(older, dtypes)).toBe(
      '{"eps": 1e-05, "torch_dtype": "float32", "a": {"torch_dtype": "float16", "n": 1.0}}',
    );
    expect(withConfigDtype('{"dtypes": {"dtype": 5}}', dtypes)).toBe('{\n  "dtype": "float32","dtypes": {"dtype": 5}}');
    expect(JSON.parse(withConfigDtype('{ }', dtypes))).toEqual({ dtype: 'float32' });
  });
});
