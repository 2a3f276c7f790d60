/**
 * Requests to the hub that outlive a bad moment: a failed connection, a silence, 429 and 5xx are tried again, as often as
 * patience allows and not before the server asks for it. What is wrong for good becomes an error that says so.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { Blip2Error } from '../../errors.js';
import { fetchFailure, type FetchFailure } from '../../fetch-failure.js';
import type { HubSettings } from './hub-settings.js';
import { noticeWait, seconds } from './notice-wait.js';

const ATTEMPTS = 5;
/** The hub's rate limits are per five minutes; nobody waits longer than that for one request. */
const MAX_WAIT_MS = 300_000;
const RETRIED = new Set([408, 429, 500, 502, 503, 504]);

/** What reads the answer to a request. */
type Read<Answer> = (response: Response) => Promise<Answer>;

export class HubRequests {
  readonly settings: HubSettings;
  /** Of the endpoint: the token goes there and nowhere else. */
  readonly #origin: string;

  constructor(settings: HubSettings) {
    this.settings = settings;
    this.#origin = originOf(settings.endpoint);
    if (settings.token !== undefined && !/^[\x21-\x7e]+$/.test(settings.token)) throw unfitToken();
  }

  /**
   * @param read what reads the body, as far as it is part of the attempt
   * @throws Blip2Error `HUB_UNREACHABLE`, `HUB_RATE_LIMITED`; what `read` throws, unless the connection broke
   */
  async get<Answer>(address: string, headers: Readonly<Record<string, string>>, read: Read<Answer>): Promise<Answer> {
    const { signal, retryDelayMs } = this.settings;
    let waitedMs = 0;
    for (let attempt = 1; ; attempt++) {
      signal?.throwIfAborted();
      const last = attempt === ATTEMPTS;
      let waitMs = retryDelayMs * 2 ** (attempt - 1);
      let reason: string | undefined;
      try {
        const response = await this.#fetch(address, headers);
        if (last || !RETRIED.has(response.status)) return await read(response);
        waitMs = retryAfterMs(response.headers.get('retry-after')) ?? waitMs;
        if (waitedMs + waitMs > MAX_WAIT_MS) throw asksTooMuch(address, response.status, waitMs);
        reason = `status ${response.status}`;
        // Not awaited: a server that does not end its answer would be waited for.
        response.body?.cancel().catch(() => undefined);
      } catch (cause) {
        signal?.throwIfAborted();
        if (cause instanceof Blip2Error) throw cause;
        const failure = fetchFailure(cause);
        if (last || failure.isLasting) throw unreachable(address, failure, attempt, cause);
        reason = failure.reason;
      }
      waitedMs += waitMs;
      using _notice = noticeWait(
        this.settings,
        `${originOf(address)}: tried again in ${seconds(waitMs)} s (${reason})`,
      );
      await sleep(waitMs, undefined, signal === undefined ? {} : { signal });
    }
  }

  /** An answer whose headers come in time. */
  async #fetch(address: string, headers: Readonly<Record<string, string>>): Promise<Response> {
    const { signal, timeoutMs, token } = this.settings;
    const controller = new AbortController();
    const stop = (): void => controller.abort(signal?.reason);
    signal?.addEventListener('abort', stop);
    const late = Object.assign(new Error(`no answer within ${seconds(timeoutMs)} s`), { code: 'ETIMEDOUT' });
    const timer = setTimeout(() => controller.abort(late), timeoutMs);
    using _notice = noticeWait(this.settings, `${originOf(address)}: waiting for an answer`);
    try {
      const isOwn = token !== undefined && originOf(address) === this.#origin;
      return await fetch(address, {
        headers: { ...headers, ...(isOwn ? { Authorization: `Bearer ${token}` } : {}) },
        signal: controller.signal,
      });
    } finally {
      clearTimeout(timer);
      signal?.removeEventListener('abort', stop);
    }
  }
}

/** @throws Blip2Error `HUB_FAILED` where it is no address */
export function originOf(address: string): string {
  try {
    return new URL(address).origin;
  } catch (cause) {
    throw new Blip2Error('HUB_FAILED', `${JSON.stringify(address)} is not the address of a hub`, {
      hint: 'Check HF_ENDPOINT: https://huggingface.co, or that of a mirror.',
      cause,
    });
  }
}

function unfitToken(): Blip2Error {
  return new Blip2Error(
    'HUB_UNAUTHORIZED',
    'the token holds a character that no token has, such as a blank or a break',
    { hint: 'Check HF_TOKEN, or the file that `hf auth login` writes.' },
  );
}

/** Seconds, or a date. */
function retryAfterMs(header: string | null): number | undefined {
  if (header === null) return undefined;
  const wait = Number(header);
  if (Number.isFinite(wait)) return Math.max(0, wait * 1000);
  const date = Date.parse(header);
  return Number.isNaN(date) ? undefined : Math.max(0, date - Date.now());
}

function asksTooMuch(address: string, status: number, waitMs: number): Blip2Error {
  const asked = seconds(waitMs);
  return new Blip2Error(
    status === 429 ? 'HUB_RATE_LIMITED' : 'HUB_FAILED',
    `${originOf(address)} answers with status ${status} and asks for a wait of ${asked} s; at most ${seconds(MAX_WAIT_MS)} s are waited for a request`,
    { hint: 'Run it again later: what has arrived is kept.', details: { status, waitMs } },
  );
}

function unreachable(address: string, failure: FetchFailure, attempts: number, cause: unknown): Blip2Error {
  const tried = attempts === 1 ? '' : `, after ${attempts} attempts`;
  const general = 'Check the network and HF_ENDPOINT. If a folder was meant: there is none of that name.';
  return new Blip2Error('HUB_UNREACHABLE', `${originOf(address)} does not answer${tried}: ${failure.reason}`, {
    hint: failure.hint ?? general,
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
      return new Blip2Error('HUB_UNAUTHORIZED', `the hub refuses ${what} (status ${status})`, {
        hint: 'The repository may be private or gated, or its name wrong. Set HF_TOKEN to a token that may read it.',
        details,
      });
    case 404:
      return new Blip2Error('HUB_NOT_FOUND', `the hub has no ${what}`, {
        hint: 'Check the name and the revision. If a folder was meant: there is none of that name.',
        details,
      });
    case 429:
      return new Blip2Error('HUB_RATE_LIMITED', `the hub limits the rate of requests and refuses ${what}`, {
        hint: 'Wait some minutes, or set HF_TOKEN: limits are higher with one.',
        details,
      });
    default:
      return new Blip2Error('HUB_FAILED', `the hub answers ${what} with status ${status}`, {
        hint: 'Try again later.',
        details,
      });
  }
}
