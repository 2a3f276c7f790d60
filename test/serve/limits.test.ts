/** What a server refuses, and what it withstands. */
import { createServer } from 'node:http';
import { connect, type AddressInfo } from 'node:net';
import { once } from 'node:events';
import { readFile, rm, writeFile, mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import * as z from 'zod';
import { modelsOf } from '../bulk/bulk-runs.js';
import { command, DEMO, ROOT } from '../cli/command.js';
import { asking, dataUrl, RECORDED, serveDemo, untilOpen, type ServedModel } from './served-model.js';

const [FIRST] = RECORDED;
const IMAGE = FIRST?.image ?? '';
const CAPTION = FIRST?.caption.text;

let server: ServedModel;
beforeAll(async () => {
  server = await serveDemo(['--max-body', '64K', '--max-pixels', '60000']);
});
afterAll(async () => {
  await server[Symbol.asyncDispose]();
});

const failure = z.object({
  error: z.object({ message: z.string().min(10), type: z.string(), param: z.string().nullable(), code: z.string() }),
});

async function post(body: string | Uint8Array, { url = server.url, headers = {}, path = '/chat/completions' } = {}) {
  const response = await fetch(`${url}${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: typeof body === 'string' ? body : new Blob([Uint8Array.from(body)]),
  });
  return { status: response.status, headers: response.headers, text: await response.text() };
}

/** Status and code of what a request is refused with, in the form that clients know. */
async function refusal(body: string | Uint8Array, options: Parameters<typeof post>[1] = {}) {
  const { status, text } = await post(body, options);
  const { code, param, type, message } = failure.parse(JSON.parse(text)).error;
  expect(type).toBe(status === 401 ? 'authentication_error' : status === 429 ? 'rate_limit_error' : type);
  return { status, code, param, message };
}

const withPicture = (url: unknown): string =>
  JSON.stringify({ messages: [{ role: 'user', content: [{ type: 'image_url', image_url: url }] }] });

const contentOf = ({ text }: { readonly text: string }): unknown =>
  (JSON.parse(text) as { choices: { message: { content: string } }[] }).choices[0]?.message.content;

/** What a socket is answered with, whatever is sent on it. */
async function raw(text: string, { closes = false, url = server.url } = {}): Promise<string> {
  const socket = connect(Number(new URL(url).port), '127.0.0.1');
  socket.on('error', () => undefined);
  let answer = '';
  socket.setEncoding('utf8').on('data', (chunk: string) => (answer += chunk));
  socket.write(text);
  if (closes) socket.end();
  await once(socket, 'close');
  return answer;
}

const isWell = async (url = server.url): Promise<void> => {
  expect(contentOf(await post(JSON.stringify(asking(IMAGE)), { url }))).toBe(CAPTION);
};

describe('bodies that are no requests', () => {
  it.each([
    ['', 'body'],
    ['{', 'body'],
    ['null', 'body'],
    ['[]', 'body'],
    ['"text"', 'body'],
    [new Uint8Array([0x7b, 0xff, 0xfe, 0x7d]), 'body'],
    ['{}', 'messages'],
    ['{"messages":[]}', 'messages'],
    ['{"messages":[{"role":"user"}]}', 'messages'],
    ['{"messages":[{"role":"nobody","content":"a"}]}', 'messages.0.role'],
    ['{"messages":[{"role":"user","content":[{"type":"input_audio"}]}]}', 'messages.0.content.0.type'],
    ['{"messages":[{"role":"user","content":[{"type":"image_url"}]}]}', 'messages.0.content.0.image_url'],
    ['{"messages":[{"role":"user","content":7}]}', 'messages.0.content'],
    ['{"messages":[{"role":"user","content":"a"}],"stream":"yes"}', 'stream'],
    ['{"messages":[{"role":"user","content":"a"}],"max_tokens":0}', 'max_tokens'],
    ['{"messages":[{"role":"user","content":"a"}],"max_tokens":1e400}', 'max_tokens'],
    ['{"messages":[{"role":"user","content":"a"}],"temperature":-1}', 'temperature'],
    ['{"messages":[{"role":"user","content":"a"}],"stop":[""]}', 'stop'],
    ['{"__proto__":{"messages":[]},"constructor":1}', 'messages'],
  ])('%j', async (body, param) => {
    const refused = await refusal(body);
    expect(refused).toMatchObject({ status: 400, code: 'REQUEST_INVALID' });
    expect(refused.param?.startsWith(param)).toBe(true);
  });

  it.each([
    ['"max_tokens":"5"', 'max_tokens: .*expected number, received string'],
    ['"stop":5', 'stop: .*expected string, received number'],
    ['"messages":[{"role":"user","content":[{"type":"image_url","image_url":5}]}]', 'image_url: .*expected string'],
  ])('say what a field that may be of several kinds has to be: %s', async (field, reason) => {
    const body = `{"messages":[{"role":"user","content":"a"}],${field}}`;
    expect((await refusal(body)).message).toMatch(new RegExp(reason));
  });

  it('however deep', async () => {
    expect(await refusal(`${'['.repeat(30_000)}${']'.repeat(30_000)}`)).toMatchObject({ code: 'REQUEST_INVALID' });
  });

  it('must be JSON by their type, so that no page of another site can send them unasked', async () => {
    const body = JSON.stringify(asking(IMAGE));
    for (const type of ['text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data; boundary=x']) {
      expect(await refusal(body, { headers: { 'content-type': type } })).toMatchObject({ code: 'CONTENT_TYPE' });
    }
    expect(await refusal(body, { headers: { 'content-encoding': 'gzip' } })).toMatchObject({ status: 415 });
  });

  it('may not be larger than the limit, with a length or without', async () => {
    const large = withPicture(`data:image/png;base64,${'A'.repeat(70_000)}`);
    expect(await refusal(large)).toMatchObject({ status: 413, code: 'REQUEST_TOO_LARGE' });
    const head = 'POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n';
    const chunk = `4000\r\n${'a'.repeat(0x4000)}\r\n`;
    expect(await raw(`${head}transfer-encoding: chunked\r\n\r\n${chunk.repeat(5)}0\r\n\r\n`)).toContain('413');
    expect(await raw(`${head}content-length: 99999999999999999999\r\n\r\n`)).toMatch(/ 4(00|13) /);
    await isWell();
  });

  it('have to arrive in time', async () => {
    const head = 'POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n';
    await using hasty = await serveDemo(['--body-timeout', '1']);
    const { url } = hasty;
    expect(await raw(`${head}content-length: 1000\r\n\r\n{"messages":`, { url })).toContain('"code":"REQUEST_SLOW"');
    // Who goes in the middle of one leaves nothing behind.
    await raw(`${head}content-length: 1000\r\n\r\n{"messages":`, { closes: true, url });
    await untilOpen(0, url);
  });

  it('are no reason to end', async () => {
    for (const text of [
      '\r\n\r\n',
      'GET\r\n\r\n',
      'GET / HTTP/9\r\n\r\n',
      `GET /${'a'.repeat(20_000)} HTTP/1.1\r\n\r\n`,
    ]) {
      expect(await raw(text, { closes: true })).toMatch(/^(HTTP\/1.1 4\d\d |$)/);
    }
    await isWell();
  });
});

describe('paths and methods', () => {
  it('are few', async () => {
    const at = async (path: string, method = 'GET') =>
      (await fetch(server.url.replace('/v1', path), { method })).status;
    expect(await at('/')).toBe(404);
    expect(await at('/v1')).toBe(404);
    expect(await at('/v1/../../etc/passwd')).toBe(404);
    expect(await at('/v1/models/%00')).toBe(404);
    expect(await at('/v1/chat/completions')).toBe(405);
    expect(await at('/v1/models', 'DELETE')).toBe(405);
    expect(await at('/v1/models', 'OPTIONS')).toBe(405);
    expect(await at('/models')).toBe(200);
    expect(await at('/health', 'HEAD')).toBe(200);
    expect(await at('/v1/chat/completions', 'HEAD')).toBe(405);
  });

  it('may be whole URLs, whose host counts', async () => {
    const get = (target: string, host: string) =>
      raw(`GET ${target} HTTP/1.1\r\nhost: ${host}\r\nconnection: close\r\n\r\n`);
    expect(await get('http://localhost/v1/models', 'localhost')).toMatch(/^HTTP\/1.1 200 /);
    expect(await get('http://127.0.0.1:1/health', 'a.example')).toMatch(/^HTTP\/1.1 200 /);
    expect(await get('http://127.0.0.1/v1/models', 'a.example')).toMatch(/^HTTP\/1.1 200 /);
    expect(await get('http://a.example/v1/models', 'localhost')).toContain('HOST_REFUSED');
    expect(await get('/v1/models', 'a.example')).toContain('HOST_REFUSED');
    expect(await get('http://localhost', 'localhost')).toContain('NOT_FOUND');
  });

  it('let no page of another site read an answer, or send what it may not', async () => {
    const origin = 'https://evil.example';
    const asked = { 'access-control-request-method': 'POST', 'access-control-request-headers': 'content-type' };
    const preflight = await fetch(`${server.url}/chat/completions`, {
      method: 'OPTIONS',
      headers: { origin, ...asked },
    });
    expect(preflight.status).toBe(405);
    const simple = await fetch(`${server.url}/models`, { headers: { origin } });
    for (const { headers } of [preflight, simple]) {
      expect([...headers.keys()].filter((name) => name.startsWith('access-control'))).toEqual([]);
    }
  });
});

describe('pictures', () => {
  it('are read as clients write them', async () => {
    const url = dataUrl(IMAGE);
    const base64 = url.slice(url.indexOf(',') + 1);
    const lines = `data:image/png;base64,${base64.replaceAll(/.{76}/g, '$&\n')}`;
    for (const written of [
      { url },
      { url, detail: 'low' },
      url,
      lines,
      url.replace('image/png', 'image/jpeg'),
      url.replace('image/png', ''),
      url.replaceAll('=', ''),
    ]) {
      expect(contentOf(await post(withPicture(written)))).toBe(CAPTION);
    }
  });

  it('are refused where they are none', async () => {
    const wrong: readonly (readonly [unknown, string])[] = [
      ['', 'REQUEST_INVALID'],
      ['data:', 'REQUEST_INVALID'],
      ['data:image/png;base64,', 'REQUEST_INVALID'],
      ['data:image/png;base64,!!!!', 'REQUEST_INVALID'],
      ['data:image/png;base64,AAA=A', 'REQUEST_INVALID'],
      ['data:image/svg+xml,<svg/>', 'REQUEST_INVALID'],
      [`data:${';a'.repeat(20_000)};base64,AAAA`, 'REQUEST_INVALID'],
      ['data:image/png;base64,AAAA', 'IMAGE_UNREADABLE'],
      [
        `data:image/svg+xml;base64,${Buffer.from('<svg xmlns="http://www.w3.org/2000/svg"/>').toString('base64')}`,
        'IMAGE_UNSUPPORTED',
      ],
    ];
    for (const [url, code] of wrong) expect(await refusal(withPicture(url))).toMatchObject({ status: 400, code });
  });

  it('may not have more pixels than the limit', async () => {
    const gif = Buffer.from('R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7', 'base64');
    gif.writeUInt16LE(300, 6);
    gif.writeUInt16LE(201, 8);
    const url = `data:image/gif;base64,${gif.toString('base64')}`;
    expect(await refusal(withPicture(url))).toMatchObject({ status: 400, code: 'IMAGE_TOO_LARGE' });
    gif.writeUInt16LE(200, 8);
    expect((await post(withPicture(`data:image/gif;base64,${gif.toString('base64')}`))).status).toBe(200);
  });

  it('are not looked for on this machine, nor fetched from anywhere', async () => {
    let visits = 0;
    const site = createServer((_, response) => {
      visits += 1;
      response.end();
    }).listen(0, '127.0.0.1');
    await once(site, 'listening');
    const origin = `http://127.0.0.1:${(site.address() as AddressInfo).port}`;
    for (const url of [
      '/etc/passwd',
      `file://${ROOT}${DEMO}/pictures/${IMAGE}`,
      join(ROOT, DEMO, 'pictures', IMAGE),
      'ftp://a/b',
      'javascript:1',
    ]) {
      expect(await refusal(withPicture(url))).toMatchObject({ status: 400, code: 'REQUEST_INVALID' });
    }
    for (const url of [`${origin}/a.png`, 'http://169.254.169.254/latest', 'https://example.com/a.png']) {
      expect(await refusal(withPicture(url))).toMatchObject({ status: 400, code: 'IMAGE_ORIGIN' });
    }
    expect(visits).toBe(0);
    site.close();
  });

  it('are fetched from origins that were named, and from none that those redirect to', async () => {
    const picture = await readFile(join(ROOT, DEMO, 'pictures', IMAGE));
    const visited: string[] = [];
    const inside = createServer((request, response) => {
      visited.push(`inside${request.url}`);
      response.end(picture);
    }).listen(0, '127.0.0.1');
    await once(inside, 'listening');
    const insideUrl = `http://127.0.0.1:${(inside.address() as AddressInfo).port}`;
    const site = createServer((request, response) => {
      visited.push(`site${request.url}`);
      if (request.url === '/away.png') response.writeHead(302, { location: `${insideUrl}/secret` }).end();
      else response.end(picture);
    }).listen(0, '127.0.0.1');
    await once(site, 'listening');
    const origin = `http://127.0.0.1:${(site.address() as AddressInfo).port}`;
    await using allowing = await serveDemo(['--image-origin', `${origin}/`]);
    const options = { url: allowing.url };
    expect(contentOf(await post(withPicture({ url: `${origin}/a.png` }), options))).toBe(CAPTION);
    const elsewhere = [
      `${origin}/away.png`,
      `${insideUrl}/a.png`,
      origin.replace('http://', 'http://user:pass@'),
      `${origin}.example.com/a.png`,
      origin.replace('127.0.0.1', 'localhost'),
    ];
    for (const url of elsewhere) expect((await post(withPicture(url), options)).status).toBe(400);
    expect(visited).toEqual(['site/a.png', 'site/away.png']);
    site.close();
    inside.close();
  });
});

describe('who may ask', () => {
  it('nobody who was led here by the name of another host', async () => {
    const get = (host: string) => raw(`GET /v1/models HTTP/1.1\r\nhost: ${host}\r\nconnection: close\r\n\r\n`);
    expect(await get('evil.example:8000')).toContain('"code":"HOST_REFUSED"');
    expect(await get('127.0.0.1.evil.example')).toContain('"code":"HOST_REFUSED"');
    for (const host of ['localhost', 'LOCALHOST:80', '127.0.0.1', '127.1.2.3:9', '[::1]:8000']) {
      expect(await get(host)).toContain('200 OK');
    }
  });

  it('only who has the token, where there is one', async () => {
    const BLIP2_SERVE_TOKEN = 'a token of some length'.replaceAll(' ', '-');
    await using guarded = await serveDemo(['--host', '0.0.0.0'], { BLIP2_SERVE_TOKEN });
    const url = guarded.url.replace('0.0.0.0', '127.0.0.1');
    for (const authorization of [
      '',
      'Bearer',
      'Bearer wrong',
      `Basic ${BLIP2_SERVE_TOKEN}`,
      `Bearer ${BLIP2_SERVE_TOKEN}x`,
    ]) {
      expect(await refusal('{}', { url, headers: { authorization } })).toMatchObject({
        status: 401,
        code: 'TOKEN_INVALID',
      });
    }
    const metrics = url.replace('/v1', '/metrics');
    expect((await fetch(metrics)).status).toBe(401);
    expect((await fetch(url.replace('/v1', '/health'))).status).toBe(200);
    const headers = { authorization: `Bearer ${BLIP2_SERVE_TOKEN}` };
    expect((await fetch(metrics, { headers })).status).toBe(200);
    expect(contentOf(await post(JSON.stringify(asking(IMAGE)), { url, headers }))).toBe(CAPTION);
  });

  it('others only with a token', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'blip2-serve-'));
    const [empty, port] = [join(folder, 'token'), new URL(server.url).port];
    await writeFile(empty, ' \n');
    const flags = ['serve', '-m', DEMO];
    for (const wrong of [
      ['--host', '0.0.0.0'],
      ['--host', '::'],
      ['--host', 'example.com'],
      ['--token-file', empty],
      ['--token-file', join(folder, 'none')],
      ['--image-origin', 'https://a.example/folder'],
      ['--port', '70000'],
    ]) {
      const { code, stderr } = await command('blip2-run', [...flags, ...wrong]);
      expect([wrong, code]).toEqual([wrong, 2]);
      expect(stderr).toContain('[USAGE]');
    }
    const taken = await command('blip2-run', [...flags, '--port', port]);
    expect(taken.code).toBe(1);
    expect(taken.stderr).toContain('[PORT_TAKEN]');
    await rm(folder, { recursive: true });
  });
});

/** An answer of as many tokens as the model has room for. */
const long = JSON.stringify({ ...asking(IMAGE), min_tokens: 90, max_tokens: 90 });

describe('two hundred at once', () => {
  it('are answered, each with the caption of its own picture', async () => {
    await using busy = await serveDemo(['--answer-timeout', '600']);
    const all = Array.from({ length: 200 }, (_, index) => RECORDED[index % RECORDED.length]);
    const answers = await Promise.all(
      all.map((recorded) => post(JSON.stringify(asking(recorded?.image ?? '')), { url: busy.url })),
    );
    expect(answers.map(contentOf)).toEqual(all.map((recorded) => recorded?.caption.text));
  });
});

describe('work that there is too much of', () => {
  it('is refused, with a word when to come again', async () => {
    await using small = await serveDemo(['--max-queue', '2']);
    const head = 'POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n';
    const slow = [1, 2].map(() => {
      const socket = connect(Number(new URL(small.url).port), '127.0.0.1');
      socket.write(`${head}content-length: 10\r\n\r\n{`);
      return socket;
    });
    await untilOpen(2, small.url);
    const { status, headers, text } = await post(long, { url: small.url });
    expect({ status, after: headers.get('retry-after') }).toEqual({ status: 429, after: '1' });
    expect(text).toContain('"code":"QUEUE_FULL"');
    for (const socket of slow) socket.destroy();
    await untilOpen(0, small.url);
    expect((await post(long, { url: small.url })).status).toBe(200);
  });

  it('is refused by its bytes', async () => {
    await using small = await serveDemo(['--max-queue-bytes', '2K']);
    expect(await refusal(`${' '.repeat(3000)}{}`, { url: small.url })).toMatchObject({
      status: 429,
      code: 'QUEUE_FULL',
    });
    expect(await refusal('{}', { url: small.url })).toMatchObject({ status: 400 });
  });

  it('is given up when its time is over, and the rest goes on', async () => {
    await using small = await serveDemo(['--answer-timeout', '1']);
    const { url } = small;
    const held = await small.hold();
    if (held === null) return;
    for (const { status, text } of await Promise.all([1, 2, 3].map(() => post(long, { url })))) {
      expect([status, text]).toEqual([504, expect.stringContaining('"code":"ANSWER_TIMEOUT"')]);
    }
    held.release();
    // What it had to do meanwhile may take its time.
    let answer = await post(JSON.stringify(asking(IMAGE)), { url });
    while (answer.status === 504) answer = await post(JSON.stringify(asking(IMAGE)), { url });
    expect(contentOf(answer)).toBe(CAPTION);
  });
});

/** Processor time of a process so far, in the system's ticks. */
async function ticksOf(pid: number): Promise<number> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
  // User and system time, behind the name in brackets.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return Number(fields[11]) + Number(fields[12]);
}

describe('a client that goes', () => {
  it('takes its work along', async () => {
    await using busy = await serveDemo(['--batch', '1', '--max-new-tokens', '90']);
    const { url } = busy;
    const COUNT = 24;
    const ask = async (signal: AbortSignal): Promise<string | null> => {
      const init = { method: 'POST', headers: { 'content-type': 'application/json' }, body: long, signal };
      return fetch(`${url}/chat/completions`, init).then(
        (response) => response.text(),
        () => null,
      );
    };
    const held = await busy.hold();
    if (held === null) return;
    held.release();
    /** What the model works for some requests, and one more that is behind them. */
    const workFor = async (requests: () => Promise<void>): Promise<number> => {
      const before = await ticksOf(held.pid);
      await requests();
      await isWell(url);
      return (await ticksOf(held.pid)) - before;
    };
    const whole = await workFor(async () => {
      const stays = new AbortController();
      const answers = await Promise.all(Array.from({ length: COUNT }, () => ask(stays.signal)));
      expect(answers).not.toContain(null);
    });
    const left = await workFor(async () => {
      for (let request = 0; request < COUNT; request++) {
        // Whether the model has it in hand by then or waits for it, it has not begun.
        const model = await busy.hold();
        const leaving = new AbortController();
        const answer = ask(leaving.signal);
        await untilOpen(1, url);
        leaving.abort();
        await untilOpen(0, url);
        model?.release();
        expect(await answer).toBe(null);
      }
    });
    expect(left).toBeLessThan(whole / 8);
    const gone = busy.events.filter(({ event, ...fields }) => event === 'request' && fields['code'] === 'CLIENT_GONE');
    expect(gone).toHaveLength(COUNT);
  });

  it('in the middle of an answer leaves the rest as it was', async () => {
    const leaving = new AbortController();
    const response = await fetch(`${server.url}/chat/completions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ ...JSON.parse(long), stream: true }),
      signal: leaving.signal,
    });
    await response.body?.getReader().read();
    leaving.abort();
    await untilOpen(0, server.url);
    await isWell();
  });
});

describe('a model that is killed', () => {
  it('is started again, and who waited is told', async () => {
    const held = await server.hold();
    if (held === null) return;
    const waiting = Array.from({ length: 12 }, () => post(long));
    await untilOpen(12, server.url);
    held.release('SIGKILL');
    const answers = await Promise.all(waiting);
    expect(answers.every(({ status }) => status === 200 || status === 503)).toBe(true);
    expect(answers.some(({ text }) => /"code":"(PROCESS_ENDED|MODEL_STARTING)"/.test(text))).toBe(true);
    const health = server.url.replace('/v1', '/health');
    while ((await fetch(health)).status !== 200) await setTimeout(50);
    await isWell();
    const metrics = await (await fetch(server.url.replace('/v1', '/metrics'))).text();
    expect(metrics).toContain('\nblip2_model_restarts_total 1\n');
  });

  it('is started again where it is killed while it starts, too', async () => {
    const [first] = await modelsOf(server.pid);
    if (first === undefined) return;
    process.kill(first, 'SIGKILL');
    for (;;) {
      const [next] = await modelsOf(server.pid);
      if (next !== undefined && next !== first) {
        process.kill(next, 'SIGKILL');
        break;
      }
      await setTimeout(1);
    }
    const health = server.url.replace('/v1', '/health');
    while ((await fetch(health)).status !== 200) await setTimeout(50);
    await isWell();
    const metrics = await (await fetch(server.url.replace('/v1', '/metrics'))).text();
    expect(metrics).toContain('\nblip2_model_restarts_total 3\n');
  });
});
