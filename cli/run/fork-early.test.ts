import { join } from 'node:path';
import { expect, it } from 'vitest';
import { startOf } from './fork-early.js';

const DEMO = join(import.meta.dirname, '../../models/demo');
const of = (line: string) => startOf(line.split(' ').filter((word) => word !== ''));

it.each([
  // What the first flags say, in the forms that they may have.
  [`photo.jpg -m ${DEMO}`, undefined],
  [`photo.jpg --model=${DEMO} --provider cuda`, 0],
  [`serve --model ${DEMO} --provider=cuda`, 0],
  [`photo.jpg -m ${DEMO} --vram 6G`, 0],
  [`photo.jpg -m ${DEMO} --vram 6G --vram 4G`, 0],
  [`photo.jpg -m ${DEMO} --vram 8M --vram=4G`, 1],
  // Less than a context takes, and cards that are none.
  [`photo.jpg -m ${DEMO} --vram 8M`, undefined],
  [`photo.jpg -m ${DEMO} --vram 6G --emulate-gpu`, undefined],
  [`photo.jpg -m ${DEMO} --vram 6G --provider cpu`, undefined],
  [`photo.jpg -m ${DEMO} --vram 6G --plan plan.json`, undefined],
  [`photo.jpg -m ${DEMO} --vram six`, undefined],
  [`photo.jpg -m ${DEMO} --vram 1=6G`, undefined],
])('has the process of %s start with card %s', (line, card) => {
  expect(of(line)).toEqual({ card });
});

it.each([
  `photo.jpg`,
  `photo.jpg -m`,
  `photo.jpg -m Salesforce/blip2-opt-2.7b`,
  `photo.jpg -m ${join(DEMO, 'pictures')}`,
  `photo.jpg -m ${DEMO} --help`,
  `photo.jpg -m ${DEMO} --workers 2`,
  `photo.jpg -m ${DEMO} --workers=auto`,
  `queue work -m ${DEMO}`,
  `worker -m ${DEMO}`,
  // The shell asks how the line may go on.
  `__complete photo.jpg -m ${DEMO} --vram 6G --pro`,
])('starts none for %s', (line) => {
  expect(of(line)).toBeNull();
});
