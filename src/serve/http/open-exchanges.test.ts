import { once } from 'node:events';
import { createServer } from 'node:http';
import { connect, type AddressInfo } from 'node:net';
import { expect, it } from 'vitest';
import { OpenExchanges } from './open-exchanges.js';

it('ends the work on all requests of a connection that closes, those that wait for the first one too', async () => {
  const open = new OpenExchanges();
  const works: AbortSignal[] = [];
  const server = createServer((request, response) => {
    works.push(open.add(request, response).work.signal);
    // That one is answered, and its answer waits behind the first.
    if (works.length === 2) response.end('answer');
    if (works.length === 3) client.destroy();
  });
  server.on('connection', (socket) => open.watch(socket));
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const client = connect((server.address() as AddressInfo).port, '127.0.0.1');
  client.write('GET / HTTP/1.1\r\nHost: here\r\n\r\n'.repeat(3));
  await once(client, 'close');
  await open.answered();
  expect([open.size, works.map(({ aborted }) => aborted)]).toEqual([0, [true, true, true]]);
  server.close();
});
