/** What a browser asks of a hub: small files, listings and ranges, without credentials. */
import { Blip2Error } from '../../../src/errors.js';

/** The hub answers in a second; who waits this long has no connection. */
const TIMEOUT_MS = 20_000;

/** @throws Blip2Error `HUB_UNREACHABLE`, `HUB_UNAUTHORIZED`, `HUB_NOT_FOUND`, `HUB_RATE_LIMITED`, `HUB_FAILED` */
export async function hubRequest(address: string, what: string, range?: readonly [number, number]): Promise<Response> {
  let response: Response;
  try {
    response = await fetch(address, {
      credentials: 'omit',
      referrerPolicy: 'no-referrer',
      signal: AbortSignal.timeout(TIMEOUT_MS),
      ...(range === undefined ? {} : { headers: { Range: `bytes=${range[0]}-${range[1] - 1}` } }),
    });
  } catch (cause) {
    throw new Blip2Error('HUB_UNREACHABLE', `${new URL(address).origin} does not answer.`, {
      hint: 'Check the network and the address of the hub, or drop the files of the model here.',
      cause,
    });
  }
  if (response.ok) return response;
  await response.body?.cancel();
  throw statusError(response.status, what);
}

function statusError(status: number, what: string): Blip2Error {
  switch (status) {
    case 401:
    case 403:
      return new Blip2Error(
        'HUB_UNAUTHORIZED',
        `The hub refuses ${what} (status ${status}): it may be gated, private or misspelt.`,
        {
          hint: 'This page has no token and wants none. Use the command with HF_TOKEN, or drop the files here.',
        },
      );
    case 404:
      return new Blip2Error('HUB_NOT_FOUND', `The hub has no ${what}.`, { hint: 'Check the name.' });
    case 429:
      return new Blip2Error('HUB_RATE_LIMITED', `The hub limits the rate of requests and refuses ${what}.`, {
        hint: 'Wait some minutes.',
      });
    default:
      return new Blip2Error('HUB_FAILED', `The hub answers ${what} with status ${status}.`, {
        hint: 'Try again later.',
      });
  }
}

/** At most `maxBytes` of a body: a server may send without end. */
export async function boundedBytes(response: Response, maxBytes: number, what: string): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  const reader = response.body?.getReader();
  for (let part = await reader?.read(); part?.done === false; part = await reader?.read()) {
    bytes += part.value.length;
    if (bytes > maxBytes) {
      await reader?.cancel();
      throw new Blip2Error('HUB_FAILED', `The hub sends more than ${maxBytes} bytes for ${what}.`);
    }
    chunks.push(part.value);
  }
  const all = new Uint8Array(bytes);
  let at = 0;
  for (const chunk of chunks) {
    all.set(chunk, at);
    at += chunk.length;
  }
  return all;
}
