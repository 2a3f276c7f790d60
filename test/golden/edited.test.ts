/** Tiny checkpoints with fields of their files changed, from picture and prompt on, as transformers answers (`record_edited.py`). */
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import * as z from 'zod';
import { openCheckpoint } from '../../src/loader/index.js';
import { createCaptioner } from '../../src/runtime/captioner/captioner.js';
import { DEMO, GOLDENS } from './golden.js';

const fields = z.record(z.string(), z.unknown());
const cases = z
  .array(
    z.object({
      name: z.string(),
      checkpoint: z.string(),
      changes: z.array(z.tuple([z.string(), z.array(z.string()), z.unknown()])),
      answers: z.array(z.object({ picture: z.string(), prompt: z.string(), ids: z.array(z.number()) })),
    }),
  )
  .parse(JSON.parse(await readFile(join(GOLDENS, 'edited.json'), 'utf8')));

let folder = '';
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'blip2-edited-'));
});
afterEach(() => rm(folder, { recursive: true }));

function changed(document: unknown, [field, ...inner]: readonly string[], value: unknown): unknown {
  if (field === undefined) return value;
  const old = fields.parse(document);
  return { ...old, [field]: changed(old[field], inner, value) };
}

describe('checkpoints with files changed', () => {
  it.each(cases)('$name', async ({ checkpoint, changes, answers }) => {
    await cp(join(GOLDENS, checkpoint), folder, { recursive: true });
    for (const [file, path, value] of changes) {
      const document: unknown = JSON.parse(await readFile(join(folder, file), 'utf8'));
      await writeFile(join(folder, file), JSON.stringify(changed(document, path, value)));
    }
    await using captioner = await createCaptioner(await openCheckpoint(folder), { threads: 1, inProcess: true });
    const asked = answers.map(({ picture, prompt }) => ({ image: join(DEMO, 'pictures', picture), prompt }));
    for (const batchSize of [1, asked.length]) {
      const found = [];
      for await (const { answers: own } of captioner.caption(asked, { batchSize, maxNewTokens: 10 }))
        found.push(own[0]?.ids);
      expect(found).toEqual(answers.map(({ ids }) => ids));
    }
  });
});
