import { readFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { withConfigDtype } from './config-dtype.js';

describe('withConfigDtype', () => {
  it('says it of the demo model and its parts, and changes nothing else', async () => {
    const text = await readFile(new URL('../../../models/demo/config.json', import.meta.url), 'utf8');
    const changed = withConfigDtype(text, 'float16');
    const parsed = JSON.parse(changed) as Record<string, { dtype: string }>;
    expect(parsed['dtype']).toBe('float16');
    for (const part of ['vision_config', 'qformer_config', 'text_config']) expect(parsed[part]?.dtype).toBe('float16');
    const removed = (json: string) => json.replaceAll(/"dtype": "float\d\d"/g, '');
    expect(removed(changed)).toBe(removed(text));
  });

  it('keeps the older name, numbers as they are written, and adds what is missing', () => {
    const older = '{"eps": 1e-05, "torch_dtype": "bfloat16", "a": {"torch_dtype": null, "n": 1.0}}';
    expect(withConfigDtype(older, 'float16')).toBe(
      '{"eps": 1e-05, "torch_dtype": "float16", "a": {"torch_dtype": "float16", "n": 1.0}}',
    );
    expect(withConfigDtype('{"dtypes": {"dtype": 5}}', 'float16')).toBe(
      '{\n  "dtype": "float16","dtypes": {"dtype": 5}}',
    );
    expect(JSON.parse(withConfigDtype('{ }', 'float16'))).toEqual({ dtype: 'float16' });
  });

  it('leaves what is said of quantised weights', () => {
    const quantized = '"quantization_config": {"quant_type": {"dtype": "float32"}, "dtype": "int8"}';
    expect(withConfigDtype(`{${quantized}, "dtype": "bfloat16"}`, 'float16')).toBe(
      `{${quantized}, "dtype": "float16"}`,
    );
  });

  it('keeps what only Python takes for numbers', () => {
    const text = '{"limit": [0.0, Infinity, -Infinity, NaN], "dtype": "float32"}';
    expect(withConfigDtype(text, 'float16')).toBe(text.replace('float32', 'float16'));
  });
});
