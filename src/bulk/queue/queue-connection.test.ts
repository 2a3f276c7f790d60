import { once } from 'node:events';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { expect, it } from 'vitest';
import { checkQueueUrl, connectQueue, withoutPassword } from './queue-connection.js';

/** Servers that are no queue, by how they behave. */
const STRANGERS: Readonly<Record<string, (socket: Socket) => void>> = {
  http: (socket) => socket.once('data', () => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n')),
  ssh: (socket) => void socket.write('SSH-2.0-OpenSSH_9.2\r\n'),
  silent: () => undefined,
  refusing: (socket) => socket.on('data', () => socket.write('-ERR unknown command\r\n')),
  closing: (socket) => void socket.end(),
};

it.concurrent.each([
  ['http', 'redis', 'QUEUE_INVALID', 'is no Redis or Valkey server'],
  ['ssh', 'redis', 'QUEUE_INVALID', 'is no Redis or Valkey server'],
  ['http', 'rediss', 'QUEUE_INVALID', 'speaks no TLS'],
  ['silent', 'redis', 'QUEUE_UNREACHABLE', 'nothing there answers as such a server within 10 s'],
  ['refusing', 'redis', 'QUEUE_UNREACHABLE', 'nothing there answers as such a server within 10 s'],
  ['closing', 'redis', 'QUEUE_UNREACHABLE', 'Connection is closed'],
])('says what answers in the place of a queue: %s by %s', async (name, scheme, code, message) => {
  const sockets: Socket[] = [];
  const server: Server = createServer((socket) => {
    sockets.push(socket.on('error', () => undefined));
    STRANGERS[name]?.(socket);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = `${scheme}://:secret@127.0.0.1:${(server.address() as AddressInfo).port}`;
  const refused = await connectQueue(url).catch((error: unknown) => error);
  expect(refused).toMatchObject({ code, message: expect.stringContaining(message) as unknown });
  expect(String(refused)).not.toContain('secret');
  for (const socket of sockets) socket.destroy();
  server.close();
});

it('leaves nothing that keeps a process, where there is no server', async () => {
  const timers = () => process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout').length;
  const before = timers();
  await expect(connectQueue('redis://127.0.0.1:1')).rejects.toMatchObject({ code: 'QUEUE_UNREACHABLE' });
  expect(timers()).toBeLessThanOrEqual(before);
});

it('takes addresses of Redis alone, and shows them without their password', () => {
  for (const url of ['redis://a', 'rediss://:p@a:1/2', 'redis://[::1]:6379']) expect(checkQueueUrl(url)).toBe(url);
  for (const url of ['http://a', 'redis:', 'redis:///0', 'redis://a/b', 'a:6379', '']) {
    expect(() => checkQueueUrl(url)).toThrow('is no address');
  }
  expect(withoutPassword('redis://user:p@a:1')).toBe('redis://***@a:1');
});
