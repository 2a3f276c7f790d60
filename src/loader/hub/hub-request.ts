/**
 * Requests to the hub that outlive a bad moment: a failed connection, 429 and 5xx are tried again, as often as patience
 * allows and not before the server asks for it. What is wrong for good becomes an error that says so.
 */
import { setTimeout } from 'node:timers/promises';
import { Blip2Error } from '../../errors.js';
import type { HubSettings } from './hub-settings.js';

const ATTEMPTS = 5;

/** The hub's rate limits are per five minutes; nobody waits longer than that for a header. */
const MAX_WAIT_MS = 300_000;

const RETRIED = new Set([408, 429, 500, 502, 503, 504]);

/** `fetch` with retries: for the client library, and for ranges. */
export function retryingFetch({ signal, retryDelayMs }: HubSettings): typeof fetch {
  return async (input, init) => {
    for (let attempt = 1; ; attempt++) {
      signal?.throwIfAborted();
      const last = attempt === ATTEMPTS;
      let waitMs = retryDelayMs * 2 ** (attempt - 1);
      try {
        const response = await fetch(input, { ...init, ...(signal === undefined ? {} : { signal }) });
        if (last || !RETRIED.has(response.status)) return response;
        waitMs = retryAfterMs(response.headers.get('retry-after')) ?? waitMs;
        await response.body?.cancel();
      } catch (cause) {
        signal?.throwIfAborted();
        if (last) throw unreachable(input, cause);
      }
      await setTimeout(Math.min(waitMs, MAX_WAIT_MS), undefined, signal === undefined ? {} : { signal });
    }
  };
}

/** Seconds, or a date. */
function retryAfterMs(header: string | null): number | undefined {
  if (header === null) return undefined;
  const seconds = Number(header);
  if (Number.isFinite(seconds)) return Math.max(0, seconds * 1000);
  const date = Date.parse(header);
  return Number.isNaN(date) ? undefined : Math.max(0, date - Date.now());
}

function unreachable(input: string | URL | Request, cause: unknown): Blip2Error {
  const address = input instanceof Request ? input.url : String(input);
  return new Blip2Error('HubUnreachable', `${new URL(address).origin} does not answer, after ${ATTEMPTS} attempts`, {
    hint: 'Check the network and HF_ENDPOINT. If a folder was meant: there is none of that name.',
    details: { address },
    cause,
  });
}

/** What an answer that is no success means. */
export function statusError(status: number, what: string): Blip2Error {
  const details = { status };
  switch (status) {
    case 401:
    case 403:
      return new Blip2Error('HubUnauthorized', `the hub refuses ${what} (status ${status})`, {
        hint: 'The repository may be private or gated, or its name wrong. Set HF_TOKEN to a token that may read it.',
        details,
      });
    case 404:
      return new Blip2Error('HubNotFound', `the hub has no ${what}`, {
        hint: 'Check the name and the revision. If a folder was meant: there is none of that name.',
        details,
      });
    case 429:
      return new Blip2Error('HubRateLimited', `the hub limits the rate of requests and refuses ${what}`, {
        hint: 'Wait some minutes, or set HF_TOKEN: limits are higher with one.',
        details,
      });
    default:
      return new Blip2Error('HubFailed', `the hub answers ${what} with status ${status}`, {
        hint: 'Try again later.',
        details,
      });
  }
}
