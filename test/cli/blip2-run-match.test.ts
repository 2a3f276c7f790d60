import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { command, DEMO, ROOT } from './command.js';

interface Golden {
  readonly picture: string;
  readonly text: string;
  readonly probability: number;
  readonly similarity: number;
  readonly image_embeds: readonly number[];
}

const FOLDER = 'test/fixtures/goldens/tiny-retrieval';
const [golden] = JSON.parse(await readFile(join(ROOT, FOLDER, 'end-to-end.json'), 'utf8')) as [Golden];
const picture = `${DEMO}/pictures/${golden.picture}`;

describe('blip2-run on a retrieval checkpoint', () => {
  it('tells how well texts describe a picture, as transformers does', async () => {
    const { code, stdout } = await command('blip2-run', [
      picture,
      '-m',
      FOLDER,
      '--match',
      golden.text,
      '--match',
      'a',
    ]);
    expect(code).toBe(0);
    const [first, second, end] = stdout.split('\n');
    expect(first).toBe(`${golden.probability.toFixed(4)}\t${golden.similarity.toFixed(4)}\t${golden.text}`);
    expect(second?.split('\t')[2]).toBe('a');
    expect(end).toBe('');
  });

  it('writes the vectors of a picture', async () => {
    const { stdout } = await command('blip2-run', [picture, '-m', FOLDER, '--embed']);
    const { embedding } = JSON.parse(stdout) as { embedding: number[][] };
    for (const [i, value] of golden.image_embeds.entries()) expect(embedding.flat()[i]).toBeCloseTo(value, 4);
  });

  it('says which checkpoint a task needs', async () => {
    const [caption, match] = await Promise.all([
      command('blip2-run', [picture, '-m', FOLDER]),
      command('blip2-run', [picture, '-m', DEMO, '--match', 'a']),
    ]);
    expect([caption.code, match.code]).toEqual([1, 1]);
    expect(caption.stderr).toContain('no language model');
    expect(match.stderr).toContain('Salesforce/blip2-itm-vit-g');
  });

  it.each(['--beams=2', '--batch=2', '--sample', '--max-new-tokens=3', '--stop-id=2', '--preset=paper'])(
    'refuses %s, which is about text that nobody makes',
    async (flag) => {
      const refused = await command('blip2-run', [picture, '-m', FOLDER, '--match', 'a', flag]);
      expect(refused).toMatchObject({ code: 2, stdout: '' });
      expect(refused.stderr).toContain(`Arguments match and ${/^--([\w-]+)/.exec(flag)?.[1]} are mutually exclusive`);
    },
  );
});
