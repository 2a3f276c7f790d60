/** Weights are mapped by the sessions that run them and by no other: read from this process's own memory map. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { openCheckpoint } from '../../../loader/index.js';
import { parseBlip2Config } from '../../../model/blip2-config.js';
import { tokenProgram } from '../../graph/blip2-programs.js';
import { startProgram } from './start-program.js';
import { cpuOptions } from './cpu-options.js';

const DEMO = join(import.meta.dirname, '../../../../models/demo');

interface Mapping {
  readonly file: string;
  /** Bytes of the file that are mapped, `[begin, end)`. */
  readonly begin: number;
  readonly end: number;
}

/** Mappings of `.safetensors` files. A line is `start-end permissions offset device inode path`, in hexadecimal. */
async function mappings(): Promise<Mapping[]> {
  const lines = (await readFile('/proc/self/maps', 'utf8')).split('\n').filter((line) => line.endsWith('.safetensors'));
  return lines.map((line) => {
    const [range = '', , offset = '', , , file = ''] = line.split(/\s+/);
    const [start = 0, stop = 0] = range.split('-').map((address) => Number.parseInt(address, 16));
    const begin = Number.parseInt(offset, 16);
    return { file, begin, end: begin + stop - start };
  });
}

describe.skipIf(process.platform !== 'linux')('mapped weights', () => {
  it('a session of the language model maps its tensors and none of the others, and lets go of them', async () => {
    const checkpoint = await openCheckpoint(DEMO);
    const tensors = [...checkpoint.tensors].map(([name, tensor]) => ({ name, ...tensor }));
    const isLanguage = ({ name }: { readonly name: string }) => name.startsWith('language_model.');
    const mappedOf = (ranges: readonly Mapping[], wanted: typeof tensors): string[] =>
      wanted
        .filter(({ file, begin, end }) => ranges.some((r) => r.file === file && r.begin <= begin && end <= r.end))
        .map(({ name }) => name);

    expect(await mappings()).toEqual([]);
    const runner = await startProgram(tokenProgram(parseBlip2Config(checkpoint.config)), {
      config: parseBlip2Config(checkpoint.config),
      tensors: checkpoint.tensors,
      placeOf: () => 0,
      optionsOf: (_, weights) => cpuOptions(weights),
    });
    const ranges = await mappings();
    await runner[Symbol.asyncDispose]();

    const language = tensors.filter(isLanguage);
    expect(mappedOf(ranges, language)).toEqual(language.map(({ name }) => name));
    // Whole pages are mapped, so a neighbour of less than a page can come along.
    const others = tensors.filter((tensor) => !isLanguage(tensor) && tensor.end - tensor.begin > 8192);
    expect(others.length).toBeGreaterThan(20);
    expect(mappedOf(ranges, others)).toEqual([]);
    expect(await mappings()).toEqual([]);
  });
});
