/** The CUDA kernels on a CPU, lane by lane, against their definitions. Skipped where no compiler of C++20 is there to build them. */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';

const folder = await mkdtemp(join(tmpdir(), 'blip2-kernels-'));
afterAll(() => rm(folder, { recursive: true }));

const program = join(folder, 'emulated');
const source = join(import.meta.dirname, 'kernels/emulated.cpp');
const options = ['-std=c++20', '-O1', '-w', '-x', 'c++', source, '-o', program];
const compiled = spawnSync('g++', options, { encoding: 'utf8' });
// What the kernels themselves do wrong is no reason to skip them.
const version = spawnSync('g++', ['-dumpversion'], { encoding: 'utf8' }).stdout ?? '';
const isCompiler = Number.parseInt(version, 10) >= 12;
if (!isCompiler) console.warn('The CUDA kernels are not emulated here: no g++ 12 or later');

interface Case {
  readonly kernel: string;
  readonly apart: number;
  readonly caches?: boolean;
  readonly repeats?: boolean;
  readonly isListed?: boolean;
}

describe.skipIf(!isCompiler)('emulated', () => {
  it('make what they are defined to make', () => {
    expect(compiled.stderr).toBe('');
    const cases = execFileSync(program, { encoding: 'utf8' })
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Case);
    expect(cases.map(({ kernel }) => kernel)).toEqual([
      ...Array.from({ length: 20 }, () => 'attention'),
      ...Array.from({ length: 6 }, () => 'attention_of_one'),
      ...Array.from({ length: 4 }, () => 'cross_attention'),
      ...Array.from({ length: 7 }, () => 'int8_attention'),
      ...Array.from({ length: 7 }, () => 'attention_of_many'),
      ...Array.from({ length: 3 }, () => 'attention_to_picture'),
      'bias_gelu',
      'bias_relu',
      ...Array.from({ length: 3 }, () => 'gated'),
      'add_rms_norm',
      'add_rms_norm',
      'add_layer_norm',
      'add_layer_norm',
      ...Array.from({ length: 5 }, () => 'int8_product'),
      ...Array.from({ length: 3 }, () => 'int4_product'),
      'int8_product',
      'int8_product',
      'int4_product',
      'finish_products',
      'finish_products',
      'int8_floats',
      'int4_floats',
      ...Array.from({ length: 4 }, () => 'shortlists'),
    ]);
    for (const each of cases) {
      // Of values about 1 in size, half a unit in float16's last place, twice over.
      expect(each.apart, JSON.stringify(each)).toBeLessThan(
        /floats|finish/.test(each.kernel) ? 1 : each.kernel === 'shortlists' ? 1e-10 : 2e-3,
      );
      expect(each.caches, JSON.stringify(each)).not.toBe(false);
      expect(each.repeats, JSON.stringify(each)).not.toBe(false);
      expect(each.isListed, JSON.stringify(each)).not.toBe(false);
    }
  });
});
