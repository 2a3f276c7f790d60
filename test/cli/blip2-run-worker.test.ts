import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { command, DEMO, ROOT } from './command.js';

const goldens = JSON.parse(await readFile(join(ROOT, 'test/fixtures/goldens/demo/goldens.json'), 'utf8')) as readonly {
  image: string;
  caption: { text: string };
}[];
const path = (image: string) => `${DEMO}/pictures/${image}`;

async function worker(...lines: readonly unknown[]) {
  const stdin = lines.map((line) => (typeof line === 'string' ? line : JSON.stringify(line))).join('\n');
  const { code, stdout } = await command('blip2-run', ['worker', '--model', DEMO, '--max-new-tokens', '40', '-q'], {
    stdin,
  });
  const answers: unknown[] = stdout
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
  return { code, answers };
}

describe('blip2-run worker', () => {
  it('answers each shard with the captions that transformers gives', async () => {
    const shards = [0, 4, 8, 12].map((begin) => goldens.slice(begin, begin + 4));
    const { code, answers } = await worker(
      ...shards.map((shard, id) => ({ id, pictures: shard.map(({ image }) => path(image)) })),
    );
    expect(code).toBe(0);
    const expected = shards.map((shard, id) => ({
      id,
      status: 'done',
      captioned: 4,
      records: shard.map(({ image, caption }) => ({ file_name: path(image), text: caption.text })),
    }));
    const key = (answer: unknown) => (answer as { id: number }).id;
    expect(answers.toSorted((a, b) => key(a) - key(b))).toMatchObject(expected);
  });

  it('refuses lines that describe no shard, and goes on; writes a file whole, once', async () => {
    const scratch = await mkdtemp(join(tmpdir(), 'blip2-worker-test-'));
    const out = join(scratch, 'a.jsonl');
    const shard = { id: 'a', pictures: [path('shape-00.png'), 'missing.png'], out };
    const bad = [
      'no json',
      '[]',
      '{"id": "x"}',
      { id: 'x', pictures: [] },
      { ...shard, more: 1 },
      { ...shard, first: -1 },
    ];
    const { code, answers } = await worker(...bad, '', shard);
    expect(code).toBe(4);
    expect(answers.slice(0, -1)).toMatchObject(bad.map((_, line) => ({ id: null, status: 'refused', line: line + 1 })));
    expect(answers.at(-1)).toMatchObject({ id: 'a', status: 'written', captioned: 1, failed: 1, out });
    expect((await readFile(out, 'utf8')).trimEnd().split('\n')).toHaveLength(2);
    expect((await worker(shard)).answers).toEqual([{ id: 'a', status: 'exists', out }]);
    await rm(scratch, { recursive: true });
  });
});
