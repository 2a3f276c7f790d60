/** A server that is told to end answers what it was asked. */
import { Agent, request as httpRequest } from 'node:http';
import { setTimeout } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { asking, RECORDED, serveDemo, untilOpen } from './served-model.js';

const CAPTIONS = new Map(RECORDED.map(({ image, caption }) => [image, caption.text]));

/** A request that was not taken can be sent elsewhere: HTTP lets clients do so where a connection that was kept is closed. */
type Outcome = { readonly kind: 'answered' | 'refused' | 'not taken' | 'lost'; readonly detail: string };

/** Sends a request on a connection of the agent, and says what became of it. */
async function ask(
  url: string,
  agent: Agent,
  image: string,
  stream: boolean,
  more: object = {},
  onBegun: () => void = () => undefined,
): Promise<Outcome> {
  const body = JSON.stringify({ ...asking(image), stream, ...more });
  return new Promise((resolve) => {
    let sent = false;
    const request = httpRequest(
      `${url}/chat/completions`,
      {
        method: 'POST',
        agent,
        headers: { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) },
      },
      (response) => {
        let text = '';
        response.setEncoding('utf8').on('data', (chunk: string) => {
          text += chunk;
          onBegun();
        });
        response.on('error', (error) => resolve({ kind: 'lost', detail: error.message }));
        response.on('close', () => {
          if (!response.complete) return resolve({ kind: 'lost', detail: 'in the middle of the answer' });
          resolve({ kind: response.statusCode === 200 ? 'answered' : 'refused', detail: text });
        });
      },
    );
    request.on('socket', (socket) => {
      if (socket.connecting) socket.once('connect', () => (sent = true));
      else sent = true;
    });
    request.on('error', (error: NodeJS.ErrnoException) => {
      const isNotTaken =
        (error.code === 'ECONNREFUSED' && !sent) || (error.code === 'ECONNRESET' && request.reusedSocket);
      resolve({ kind: isNotTaken ? 'not taken' : 'lost', detail: `${error.code}` });
    });
    request.end(body);
  });
}

function textOf({ detail }: Outcome, streamed: boolean): string {
  if (!streamed)
    return (JSON.parse(detail) as { choices: { message: { content: string } }[] }).choices[0]?.message.content ?? '';
  const events = detail.split('\n\n').filter((line) => line.startsWith('data: {'));
  const chunks = events.map((line) => JSON.parse(line.slice(6)) as { choices: { delta: { content?: string } }[] });
  return chunks.map(({ choices }) => choices[0]?.delta.content ?? '').join('');
}

describe.each(['SIGTERM', 'SIGINT'] as const)('%s', (signal) => {
  it('ends a server that is asked all the time, and no request is lost', async () => {
    await using server = await serveDemo();
    const agent = new Agent({ keepAlive: true, maxSockets: 24 });
    const outcomes: Outcome[] = [];
    let isOver = false;
    const askers = Array.from({ length: 24 }, async (_, asker) => {
      for (let turn = asker; !isOver; turn++) {
        const image = RECORDED[turn % RECORDED.length]?.image ?? '';
        const streamed = turn % 2 === 0;
        const outcome = await ask(server.url, agent, image, streamed);
        outcomes.push(outcome);
        if (outcome.kind === 'answered') expect(textOf(outcome, streamed)).toBe(CAPTIONS.get(image));
        else isOver = true;
      }
    });
    while (outcomes.length < 48) await setTimeout(10);
    server.stop(signal);
    expect(await server.ended).toEqual({ code: 0, signal: null });
    await Promise.all(askers);
    agent.destroy();
    expect(outcomes.filter(({ kind }) => kind === 'lost')).toEqual([]);
    // All that the server took, by its own account.
    const taken = server.events.filter(({ event }) => event === 'request');
    expect(taken.length).toBe(outcomes.filter(({ kind }) => kind !== 'not taken').length);
  });
});

/** What a server says of itself once it has heard that it is to end. */
async function stopping(url: string): Promise<Response> {
  let health = await fetch(url.replace('/v1', '/health'));
  while (health.status === 200) health = await fetch(url.replace('/v1', '/health'));
  return health;
}

const COUNT = 24;

describe('SIGTERM', () => {
  it('lets no more be asked, and does not wait longer than it may', async () => {
    await using server = await serveDemo(['--stop-timeout', '3', '--batch', '1', '--max-new-tokens', '90']);
    const agent = new Agent({ keepAlive: true });
    const long = { min_tokens: 90 };
    let isOver = false;
    let first: Promise<Outcome> | undefined;
    await new Promise<void>((onBegun) => {
      first = ask(server.url, agent, 'shape-00.png', true, long, onBegun).finally(() => (isOver = true));
    });
    const held = await server.hold();
    if (held === null) return;
    const waiting = Array.from({ length: COUNT }, (_, index) =>
      ask(server.url, agent, 'shape-00.png', index % 2 === 0, long),
    );
    await untilOpen(() => (isOver ? COUNT : COUNT + 1), server.url);
    server.stop();
    const health = await stopping(server.url);
    expect([health.status, await health.text()]).toEqual([503, '{"status":"stopping"}']);
    const outcomes = await Promise.all(waiting);
    for (const { kind, detail } of outcomes)
      expect([kind, detail]).toEqual(['refused', expect.stringContaining('"code":"SERVICE_CLOSED"')]);
    // What had begun has an error at its end, unless it had ended before.
    const begun = await first;
    expect(begun?.kind).toBe('answered');
    expect(begun?.detail).toMatch(/"code":"SERVICE_CLOSED"|data: \[DONE\]/);
    held.release();
    expect(await server.ended).toEqual({ code: 0, signal: null });
    agent.destroy();
    await expect(fetch(`${server.url}/models`)).rejects.toThrow();
  });

  it('a second time ends it at once', async () => {
    await using server = await serveDemo(['--batch', '1']);
    const agent = new Agent({ keepAlive: true });
    const held = await server.hold();
    if (held === null) return;
    const waiting = Array.from({ length: COUNT }, () => ask(server.url, agent, 'shape-00.png', false));
    await untilOpen(COUNT, server.url);
    server.stop();
    await stopping(server.url);
    // What comes at once with the first counts as the same.
    await setTimeout(200);
    server.stop();
    expect((await Promise.all(waiting)).filter(({ kind }) => kind === 'answered')).toEqual([]);
    held.release();
    expect(await server.ended).toEqual({ code: 143, signal: null });
    agent.destroy();
  });
});
