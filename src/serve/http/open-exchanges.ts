import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { Blip2Error } from '../../errors.js';

export interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  /** What ends the work on it. */
  readonly work: AbortController;
  readonly beganMs: number;
}

/** Requests whose answers are not out. The work on one ends when its client goes. */
export class OpenExchanges implements Iterable<Exchange> {
  readonly #open = new Set<Exchange>();
  readonly #onLast: (() => void)[] = [];

  get size(): number {
    return this.#open.size;
  }

  [Symbol.iterator](): IterableIterator<Exchange> {
    return this.#open.values();
  }

  /** Of requests that were sent one behind the other, only the first has an answer that hears of its connection's end. */
  watch(socket: Socket): void {
    socket.once('close', () => {
      for (const exchange of this.#open) if (exchange.request.socket === socket) this.#leave(exchange);
    });
  }

  add(request: IncomingMessage, response: ServerResponse): Exchange {
    const exchange = { request, response, work: new AbortController(), beganMs: performance.now() };
    this.#open.add(exchange);
    // Of a connection that fails: whoever waits for the answer hears of it.
    request.on('error', () => undefined);
    response.on('error', () => undefined);
    response.once('close', () => this.#leave(exchange));
    return exchange;
  }

  /** Until all are answered. */
  async answered(): Promise<void> {
    if (this.#open.size > 0) await new Promise<void>((resolve) => this.#onLast.push(resolve));
  }

  #leave(exchange: Exchange): void {
    if (!this.#open.delete(exchange)) return;
    if (this.#open.size === 0) for (const resolve of this.#onLast.splice(0)) resolve();
    if (exchange.response.writableFinished) return;
    exchange.work.abort(new Blip2Error('CLIENT_GONE', 'the client has closed its connection'));
  }
}
