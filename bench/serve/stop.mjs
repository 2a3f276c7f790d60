/**
 * Stops a server that is asked all the time, again and again, and counts what became of every request: answered, refused (the
 * connection was never made), or lost. One JSON line a round, and the sum.
 *
 *   npm run build && node bench/serve/stop.mjs CHECKPOINT [--rounds 20] [--at-once 32] [--tokens 20] [-- FLAGS OF blip2-run serve]
 */
import { Agent, request } from 'node:http';
import { setTimeout } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { requestBody, startServer } from './served.mjs';

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: {
    rounds: { type: 'string', default: '20' },
    'at-once': { type: 'string', default: '32' },
    tokens: { type: 'string', default: '20' },
  },
});
const [checkpoint, ...flags] = positionals;
if (checkpoint === undefined) throw new Error('which checkpoint?');

/** @returns `answered`, `refused`, or how it was lost */
function ask(url, agent, body) {
  return new Promise((resolve) => {
    let isConnected = false;
    const headers = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) };
    const sent = request(`${url}/chat/completions`, { method: 'POST', agent, headers }, (response) => {
      response.resume();
      response.on('error', (error) => resolve(error.code));
      response.on('close', () => resolve(response.complete && response.statusCode === 200 ? 'answered' : 'cut off'));
    });
    sent.on('socket', (socket) => {
      if (socket.connecting) socket.once('connect', () => (isConnected = true));
      else isConnected = true;
    });
    sent.on('error', ({ code }) => resolve(code === 'ECONNREFUSED' && !isConnected ? 'refused' : code));
    sent.end(body);
  });
}

const sums = {};
const stopsMs = [];
for (let round = 0; round < Number(values.rounds); round++) {
  const server = await startServer(checkpoint, flags);
  const agent = new Agent({ keepAlive: true });
  const counts = {};
  const askers = Array.from({ length: Number(values['at-once']) }, async (_, asker) => {
    const body = await requestBody({ max_tokens: Number(values.tokens), stream: asker % 2 === 0 });
    for (;;) {
      const outcome = await ask(server.url, agent, body);
      counts[outcome] = (counts[outcome] ?? 0) + 1;
      if (outcome !== 'answered') return;
    }
  });
  await setTimeout(500 + 137 * (round % 8));
  const began = performance.now();
  server.child.kill(round % 2 === 0 ? 'SIGTERM' : 'SIGINT');
  const code = await server.exit;
  const stopMs = Math.round(performance.now() - began);
  await Promise.all(askers);
  agent.destroy();
  stopsMs.push(stopMs);
  for (const [outcome, count] of Object.entries(counts)) sums[outcome] = (sums[outcome] ?? 0) + count;
  console.log(JSON.stringify({ round, code, stopMs, ...counts }));
}
console.log(JSON.stringify({ rounds: stopsMs.length, mostStopMs: Math.max(...stopsMs), ...sums }));
