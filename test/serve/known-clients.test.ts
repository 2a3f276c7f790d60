/** Requests in the shapes in which programs that caption pictures send them. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { dataUrl, RECORDED, serveDemo, type ServedModel } from './served-model.js';

const [FIRST] = RECORDED;
const IMAGE = FIRST?.image ?? '';
const CAPTION = FIRST?.caption.text;
const url = dataUrl(IMAGE);

let server: ServedModel;
beforeAll(async () => {
  server = await serveDemo(['--text', 'none']);
});
afterAll(async () => {
  await server[Symbol.asyncDispose]();
});

async function post(path: string, body: object, headers: Readonly<Record<string, string>> = {}) {
  const response = await fetch(server.url.replace('/v1', path), {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify(body),
  });
  return { status: response.status, headers: response.headers, text: await response.text() };
}

describe('a chat completion', () => {
  it.each([
    [
      "taggui's forks: a system's word, the picture before the text, more tokens than there can be",
      {
        model: 'remote',
        messages: [
          { role: 'system', content: 'You are an image captioning expert.' },
          {
            role: 'user',
            content: [
              { type: 'image_url', image_url: { url } },
              { type: 'text', text: 'Describe the image in detail.' },
            ],
          },
        ],
        max_tokens: 4096,
        temperature: 0,
        top_p: 1.0,
      },
    ],
    [
      'SillyTavern: no number of tokens',
      {
        model: 'demo',
        messages: [
          {
            role: 'user',
            content: [
              { type: 'text', text: "What's in this image?" },
              { type: 'image_url', image_url: { url } },
            ],
          },
        ],
      },
    ],
    [
      'SillyTavern for text-generation-webui: text and picture in two messages',
      {
        model: 'demo',
        messages: [
          { role: 'user', content: "What's in this image?" },
          { role: 'user', content: [], image_url: url },
        ],
        temperature: 0,
      },
    ],
    [
      'scripts for LM Studio: -1 for any number of tokens',
      { model: null, messages: [{ role: 'user', content: [{ type: 'image_url', image_url: url }] }], max_tokens: -1 },
    ],
  ])('%s', async (_, body) => {
    const { status, text } = await post('/v1/chat/completions', body);
    expect([status, text]).toEqual([200, expect.stringContaining(JSON.stringify(CAPTION))]);
  });

  it('of Open WebUI: a stream with fields of its own, and a key where none is asked for', async () => {
    const body = {
      stream: true,
      model: 'demo',
      messages: [
        {
          role: 'user',
          content: [
            { type: 'text', text: 'What is this?' },
            { type: 'image_url', image_url: { url } },
          ],
        },
      ],
      stream_options: { include_usage: true },
      user: { name: 'somebody' },
      frequency_penalty: 0,
      presence_penalty: 0.5,
    };
    const { status, headers, text } = await post('/v1/chat/completions', body, { authorization: 'Bearer 0p3n-w3bu!' });
    expect(status).toBe(200);
    expect(headers.get('content-type')).toContain('text/event-stream');
    // Who asks for what is not done is told.
    expect(headers.get('x-ignored-fields')).toBe('presence_penalty');
    expect(text.endsWith('data: [DONE]\n\n')).toBe(true);
    const contents = [...text.matchAll(/"content":"([^"]*)"/g)].map(([, content]) => content);
    expect(contents.join('')).toBe(CAPTION);
  });

  it('without /v1, as those send it who leave it out of the address', async () => {
    const body = { messages: [{ role: 'user', content: [{ type: 'image_url', image_url: { url } }] }] };
    expect((await post('/chat/completions', body)).status).toBe(200);
  });
});

describe("a response, of OpenAI's newer API", () => {
  const body = {
    model: 'demo',
    input: [
      { role: 'system', type: 'message', content: [{ type: 'input_text', text: 'You caption pictures.' }] },
      {
        role: 'user',
        type: 'message',
        content: [
          { type: 'input_text', text: 'Describe it in one sentence.' },
          { type: 'input_image', image_url: url, detail: 'low' },
        ],
      },
    ],
    max_output_tokens: 512,
  };

  it('of PhotoPrism', async () => {
    const { status, text } = await post('/v1/responses', body);
    expect(status).toBe(200);
    expect(JSON.parse(text)).toMatchObject({
      object: 'response',
      status: 'completed',
      error: null,
      output: [{ type: 'message', role: 'assistant', content: [{ type: 'output_text', text: CAPTION }] }],
    });
  });

  it("of OpenAI's client", async () => {
    const answer = await server.client.responses.create({
      model: 'demo',
      input: [{ role: 'user', content: [{ type: 'input_image', image_url: url, detail: 'auto' }] }],
    });
    expect(answer.output_text).toBe(CAPTION);
    const short = { ...body, max_output_tokens: 2 };
    expect(JSON.parse((await post('/v1/responses', short)).text)).toMatchObject({ status: 'incomplete' });
    for (const wrong of [{ stream: true }, { text: { format: { type: 'json_schema' } } }, { input: 'hello' }]) {
      expect((await post('/v1/responses', { ...body, ...wrong })).status).toBe(400);
    }
  });
});
