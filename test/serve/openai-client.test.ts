/** The built server, asked by OpenAI's own client: what it answers is what transformers answered. */
import { BadRequestError, NotFoundError, type OpenAI } from 'openai';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { asking, RECORDED, serveDemo, type Asked, type ServedModel } from './served-model.js';

let server: ServedModel;
beforeAll(async () => {
  server = await serveDemo();
});
afterAll(async () => {
  await server[Symbol.asyncDispose]();
});

/** Captions and questions in turns, with what is to come of them. */
const CASES = RECORDED.flatMap(({ image, caption, vqa }) => [
  { asked: asking(image), ids: caption.ids, answer: caption.text },
  { asked: asking(image, vqa.prompt), ids: vqa.ids, answer: vqa.text },
]);

async function streamed(asked: Asked, more: { max_tokens?: number; stop?: string[] } = {}) {
  const stream = await server.client.chat.completions.create({
    ...asked,
    ...more,
    stream: true,
    stream_options: { include_usage: true },
  });
  const pieces: string[] = [];
  let finish: string | null = null;
  let usage: OpenAI.CompletionUsage | null | undefined;
  for await (const chunk of stream) {
    expect(chunk.object).toBe('chat.completion.chunk');
    const [choice] = chunk.choices;
    if (choice?.delta.content !== undefined && choice.delta.content !== null) pieces.push(choice.delta.content);
    finish = choice?.finish_reason ?? finish;
    usage = chunk.usage ?? usage;
  }
  return { pieces, finish, usage };
}

describe("OpenAI's client", () => {
  it('gets the captions and answers that transformers gives, one by one', async () => {
    for (const { asked, answer, ids } of CASES) {
      const { choices, usage, object, model } = await server.client.chat.completions.create(asked);
      expect(choices).toEqual([
        {
          index: 0,
          message: { role: 'assistant', content: answer, refusal: null },
          logprobs: null,
          finish_reason: 'stop',
        },
      ]);
      expect({ object, model }).toEqual({ object: 'chat.completion', model: 'demo' });
      expect(usage?.completion_tokens).toBe(ids.length);
      expect(usage?.total_tokens).toBe((usage?.prompt_tokens ?? 0) + ids.length);
    }
  });

  it('gets the same when it asks for all of them at once, streamed or not', async () => {
    const answers = await Promise.all(
      [...CASES, ...CASES].map(async ({ asked }, index) => {
        if (index % 3 !== 0) return (await server.client.chat.completions.create(asked)).choices[0]?.message.content;
        return (await streamed(asked)).pieces.join('');
      }),
    );
    expect(answers).toEqual([...CASES, ...CASES].map(({ answer }) => answer));
  });

  it('gets an answer in pieces, each as soon as it is made', async () => {
    const [{ asked, answer, ids } = { asked: asking(''), answer: '', ids: [] }] = CASES;
    const { pieces, finish, usage } = await streamed(asked);
    expect(pieces.length).toBeGreaterThan(5);
    expect(pieces.join('')).toBe(answer);
    expect(finish).toBe('stop');
    expect(usage?.completion_tokens).toBe(ids.length);
  });

  it('may limit an answer, and end it at a text', async () => {
    const asked = asking('shape-00.png');
    const short = await server.client.chat.completions.create({ ...asked, max_tokens: 3 });
    expect(short.choices[0]).toMatchObject({ finish_reason: 'length', message: { content: 'a small red' } });
    const most = await server.client.chat.completions.create({ ...asked, max_completion_tokens: 100_000 });
    expect(most.choices[0]?.finish_reason).toBe('stop');
    const stop = ['ove a', 'never'];
    const ended = await server.client.chat.completions.create({ ...asked, stop });
    expect(ended.choices[0]).toMatchObject({ finish_reason: 'stop', message: { content: 'a small red ring ab' } });
    // The rest was not made.
    expect(ended.usage?.completion_tokens).toBe(6);
    const inPieces = await streamed(asked, { stop });
    expect(inPieces).toMatchObject({ finish: 'stop', usage: { completion_tokens: 6 } });
    expect(inPieces.pieces.join('')).toBe('a small red ring ab');
  });

  it('draws tokens with a temperature, alike with one seed', async () => {
    const asked = asking('shape-01.png');
    const draw = async (more: { seed?: number; temperature?: number; top_p?: number }) =>
      (await server.client.chat.completions.create({ ...asked, ...more })).choices[0]?.message.content;
    const seeds = [1, 2, 3, 4, 5, 6, 7, 8];
    const drawn = await Promise.all(seeds.map((seed) => draw({ temperature: 2, seed })));
    const again = await Promise.all(seeds.map((seed) => draw({ temperature: 2, seed })));
    const [greedy, cold, narrow] = await Promise.all([
      draw({}),
      draw({ temperature: 0, seed: 7 }),
      draw({ temperature: 2, top_p: 0.000001, seed: 7 }),
    ]);
    expect(again).toEqual(drawn);
    expect(new Set(drawn).size).toBeGreaterThan(1);
    expect(cold).toBe(greedy);
    expect(narrow).toBe(greedy);
  });

  it('lists the model', async () => {
    const { data } = await server.client.models.list();
    expect(data).toMatchObject([{ id: 'demo', object: 'model' }]);
    expect(await server.client.models.retrieve('demo')).toMatchObject({ id: 'demo' });
    await expect(server.client.models.retrieve('gpt-4o')).rejects.toThrow(NotFoundError);
  });

  it('is told what is wrong, as its own errors', async () => {
    const { completions } = server.client.chat;
    const asked = asking('shape-00.png');
    const errorOf = (more: object): Promise<unknown> =>
      completions.create({ ...asked, ...more }).then(
        () => null,
        (error: unknown) => error,
      );
    expect(await errorOf({ n: 2 })).toBeInstanceOf(BadRequestError);
    expect(await errorOf({ n: 2 })).toMatchObject({ code: 'REQUEST_INVALID', param: 'n', status: 400 });
    expect(await errorOf({ temperature: 3 })).toMatchObject({ param: 'temperature' });
    expect(await errorOf({ logprobs: true })).toMatchObject({ param: 'logprobs' });
    expect(await errorOf({ response_format: { type: 'json_object' } })).toMatchObject({ param: 'response_format' });
    expect(await errorOf({ messages: [{ role: 'user', content: 'hello' }] })).toMatchObject({ param: 'messages' });
    const damaged = { type: 'image_url', image_url: { url: 'data:image/png;base64,bm90aGluZw==' } };
    const withDamaged = { messages: [{ role: 'user', content: [damaged] }] };
    expect(await errorOf(withDamaged)).toMatchObject({ status: 400, code: 'IMAGE_UNREADABLE' });
    // In a stream, too: nothing was sent yet.
    expect(await errorOf({ ...withDamaged, stream: true })).toMatchObject({ status: 400, code: 'IMAGE_UNREADABLE' });
    expect(await errorOf({ ...asking('shape-00.png', 'word '.repeat(200)) })).toMatchObject({
      status: 400,
      code: 'PROMPT_TOO_LONG',
    });
    expect(await errorOf(asking('shape-00.png', 'what is <image>?'))).toMatchObject({ code: 'PROMPT_INVALID' });
  });
});
