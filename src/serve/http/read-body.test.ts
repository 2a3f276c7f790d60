import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import { connect, type AddressInfo } from 'node:net';
import { expect, it } from 'vitest';
import { Admission } from '../admission.js';
import { readJsonBody } from './read-body.js';

const HEAD = 'POST / HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n';

it('leaves what it refuses to whoever reads on, however much there is', async () => {
  const server = createServer().listen(0, '127.0.0.1');
  const asked = new Promise<IncomingMessage>((resolve) => server.once('request', resolve));
  await once(server, 'listening');
  const socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
  // More than the buffers of both ends hold.
  const bytes = 32 * 1024 * 1024;
  socket.write(`${HEAD}${bytes.toString(16)}\r\n`);
  socket.write(Buffer.alloc(bytes, 'a'));
  socket.write('\r\n0\r\n\r\n');
  const request = await asked;
  using place = new Admission({ queue: 1, queueBytes: 1e9 }).enter();
  const refused = readJsonBody(request, place, { bodyBytes: 1000, bodyMs: 600_000 });
  await expect(refused).rejects.toMatchObject({ code: 'REQUEST_TOO_LARGE' });
  await once(request.on('data', () => undefined).resume(), 'end');
  socket.destroy();
  server.close();
});
