import type { ServerResponse } from 'node:http';

/** An answer in pieces, as server-sent events. Its headers go out with the first of them. */
export class EventStream {
  readonly #response: ServerResponse;

  constructor(response: ServerResponse) {
    this.#response = response;
  }

  send(data: unknown): void {
    this.#begin();
    this.#response.write(`data: ${JSON.stringify(data)}\n\n`);
  }

  end(): void {
    this.#begin();
    this.#response.end('data: [DONE]\n\n');
  }

  #begin(): void {
    if (this.#response.headersSent) return;
    // Proxies would hold back what they compress or keep.
    this.#response.writeHead(200, {
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-cache, no-transform',
      'x-accel-buffering': 'no',
    });
  }
}
