/** A server whose model has a budget: its texts are part of the plan. */
import { expect, it } from 'vitest';
import { asking, RECORDED, serveDemo } from './served-model.js';

it.each([[['--vram', '6M']], [['--vram', '6M', '--batch', '4']], [['--vram', '30M', '--batch', 'auto']]])(
  'answers with %j as transformers does',
  async (flags) => {
    await using server = await serveDemo([...flags, '--emulate-gpu']);
    const cases = RECORDED.slice(0, 6).flatMap(({ image, caption, vqa }) => [
      { asked: asking(image), answer: caption.text },
      { asked: asking(image, vqa.prompt), answer: vqa.text },
    ]);
    const answers = await Promise.all(cases.map(({ asked }) => server.client.chat.completions.create(asked)));
    expect(answers.map(({ choices }) => choices[0]?.message.content)).toEqual(cases.map(({ answer }) => answer));
  },
);
