import { expect, it } from 'vitest';
import { LineGiver } from './line-giver.js';
import type { ShardAnswer } from './shard-lines.js';

it('refuses a file that is being made for another line, until that one is answered', async () => {
  const lines = ['a.jsonl', './b/../a.jsonl', 'b.jsonl', 'a.jsonl'].map((out, id) =>
    JSON.stringify({ id, pictures: ['p.png'], out }),
  );
  const answers: ShardAnswer[] = [];
  const giver = new LineGiver({
    lines: (async function* () {
      for (const line of lines) yield await Promise.resolve(line);
    })(),
    answer: (answer) => Promise.resolve(void answers.push(answer)),
    stopping: new AbortController().signal,
  });
  const first = await giver.next();
  expect((await giver.next())?.shard).toBe(3);
  expect(answers).toMatchObject([{ status: 'refused', line: 2, error: { code: 'SHARD_INVALID' } }]);
  await first?.giveBack();
  expect((await giver.next())?.shard).toBe(4);
  expect(giver.refused).toBe(1);
});
