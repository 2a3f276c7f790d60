import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, expect, it } from 'vitest';
import { fetchFailure } from './fetch-failure.js';

const servers: Server[] = [];
afterAll(() => {
  for (const server of servers) server.close();
});

async function portOf(server: Server): Promise<number> {
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return (server.address() as AddressInfo).port;
}

async function failureOf(address: string, env: NodeJS.ProcessEnv = {}) {
  const error: unknown = await fetch(address).then(
    () => null,
    (cause: unknown) => cause,
  );
  return fetchFailure(error, env);
}

const failed = (message: string, code: string) =>
  new TypeError('fetch failed', { cause: Object.assign(new Error(message), { code }) });

it('says why a certificate is not trusted, and how it would be, and does not try again', () => {
  expect(fetchFailure(failed('self-signed certificate', 'DEPTH_ZERO_SELF_SIGNED_CERT'))).toEqual({
    reason: 'self-signed certificate (DEPTH_ZERO_SELF_SIGNED_CERT)',
    hint: expect.stringContaining('NODE_EXTRA_CA_CERTS'),
    isLasting: true,
  });
});

it('tells a server without TLS from one that is not there', async () => {
  const port = await portOf(createServer((_, response) => response.end()));
  expect(await failureOf(`https://127.0.0.1:${port}`)).toMatchObject({
    reason: 'what answers there speaks no TLS',
    isLasting: true,
  });
  const gone = createServer();
  const freed = await portOf(gone);
  await new Promise((resolve) => gone.close(resolve));
  expect(await failureOf(`http://127.0.0.1:${freed}`)).toEqual({
    reason: `connect ECONNREFUSED 127.0.0.1:${freed}`,
    hint: undefined,
    isLasting: false,
  });
});

it('has the reason of the first address where a host has several', () => {
  const refused = (address: string) =>
    Object.assign(new Error(`connect ECONNREFUSED ${address}`), { code: 'ECONNREFUSED' });
  const both = new AggregateError([refused('::1:8000'), refused('127.0.0.1:8000')]);
  expect(fetchFailure(new TypeError('fetch failed', { cause: both })).reason).toBe('connect ECONNREFUSED ::1:8000');
});

it('names the proxy that other programs go through, unless Node does', () => {
  const reason = 'getaddrinfo ENOTFOUND hub.example';
  const error = failed(reason, 'ENOTFOUND');
  const env = { https_proxy: 'http://proxy:3128' };
  expect(fetchFailure(error, env)).toEqual({
    reason,
    hint: expect.stringMatching(/HTTPS_PROXY .*NODE_USE_ENV_PROXY=1/),
    isLasting: false,
  });
  expect(fetchFailure(error, { ...env, NODE_USE_ENV_PROXY: '1' }).hint).toBeUndefined();
  expect(fetchFailure(error, {}).hint).toBeUndefined();
});

it('repeats no password, and tries no address twice that is none', async () => {
  expect(await failureOf('http://me:secret@127.0.0.1:8000')).toEqual({
    reason: 'its address holds a name or password',
    hint: undefined,
    isLasting: true,
  });
  for (const [address, reason] of [
    ['ftp://127.0.0.1', 'unknown scheme'],
    ['http://127.0.0.1:1', 'bad port'],
  ] as const) {
    expect(await failureOf(address)).toEqual({ reason, hint: undefined, isLasting: true });
  }
});
