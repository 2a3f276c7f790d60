import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { readHeader, type SafetensorsHeader } from '../../src/loader/format/read-header.js';
import { SafetensorsError } from '../../src/loader/format/safetensors-error.js';
import { memorySource } from './memory-source.js';
import { referenceCases } from './reference-cases.js';

interface Recorded {
  readonly verdicts: Record<string, { error?: string; tensors?: Record<string, [string, number[], number]> }>;
}

const { verdicts } = JSON.parse(readFileSync(new URL('reference-verdicts.json', import.meta.url), 'utf8')) as Recorded;
const cases = referenceCases();

/** A name of the reference reader in the spelling of our codes. */
const codeOf = (name: string): string => name.replaceAll(/(?<=[a-z])(?=[A-Z])/g, '_').toUpperCase();

async function verdictOf(bytes: Uint8Array): Promise<SafetensorsError | SafetensorsHeader> {
  return readHeader(memorySource(bytes)).catch((error: unknown) => {
    if (error instanceof SafetensorsError) return error;
    throw error;
  });
}

describe('the same verdict as the reference reader', () => {
  it('has a recorded verdict for every case', () => {
    expect(cases.map(({ id }) => id).sort()).toEqual(Object.keys(verdicts).sort());
  });

  it.each(cases)('$id', async ({ id, bytes, ours }) => {
    const recorded = verdicts[id];
    const verdict = await verdictOf(bytes);
    const expected = ours ?? (recorded?.error && codeOf(recorded.error));
    if (expected !== undefined) {
      expect(verdict).toMatchObject({ code: expected, file: 'test.safetensors' });
      expect((verdict as SafetensorsError).message.length).toBeLessThan(1000);
      return;
    }
    if (verdict instanceof SafetensorsError) throw verdict;
    const tensors = [...verdict.tensors].filter(([name]) => name.length < 1000);
    expect(new Map(tensors.map(([name, t]) => [name, [t.dtype, t.shape, t.end - t.begin]]))).toEqual(
      new Map(Object.entries(recorded?.tensors ?? {})),
    );
  });
});
