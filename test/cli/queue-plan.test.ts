import { expect, it } from 'vitest';
import { command } from './command.js';

const plan = async (...flags: string[]) => (await command('blip2-run', ['queue', 'plan', ...flags])).stdout;

it('says how long so many pictures take, however few or many', async () => {
  expect(await plan('--pictures', '1000', '--rate', '20', '--cards', '1')).toContain(
    '1 machine with 1 card: 50 s, 50 s of card time, 1 shard\n',
  );
  expect(await plan('--pictures', '72000000', '--rate', '250', '--hours', '10')).toContain(
    '1 machine with 8 cards: 10 h 0 min, 80 h 0 min of card time, 72000 shards\n',
  );
});
