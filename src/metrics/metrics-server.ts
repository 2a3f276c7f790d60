import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Blip2Error, reasonOf } from '../errors.js';
import type { Metrics } from './metrics.js';
import { requestTarget } from './request-target.js';

export interface MetricsAddress {
  readonly host: string;
  /** 0 for any that is free. */
  readonly port: number;
}

export interface Health {
  /** Why a supervisor should start this process again; null where it should not. */
  readonly trouble: () => string | null;
  /** Whether it does its work already. */
  readonly isReady: () => boolean;
}

/**
 * `/metrics` for Prometheus; `/healthz` and `/readyz` for a supervisor: 200, or 503 with the reason.
 */
export class MetricsServer implements AsyncDisposable {
  readonly #server: Server;

  private constructor(server: Server) {
    this.#server = server;
  }

  /** @throws Blip2Error `PORT_TAKEN` where it cannot listen there */
  static async listen(metrics: Metrics, health: Health, { host, port }: MetricsAddress): Promise<MetricsServer> {
    const server = createServer((request, response) => {
      void answer(requestTarget(request).path, metrics, health).then(({ status, type, text }) => {
        response.writeHead(status, { 'content-type': type }).end(text);
      });
    });
    try {
      server.listen(port, host);
      await once(server, 'listening');
    } catch (cause) {
      const message = `cannot listen on ${host}:${port}: ${reasonOf(cause)}`;
      throw new Blip2Error('PORT_TAKEN', message, { hint: 'Choose another port with --metrics.', cause });
    }
    // It is no reason for the process to stay.
    server.unref();
    return new MetricsServer(server);
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

const PLAIN = 'text/plain; charset=utf-8';

async function answer(path: string, metrics: Metrics, { trouble, isReady }: Health) {
  switch (path) {
    case '/metrics':
      return { status: 200, type: 'text/plain; version=0.0.4; charset=utf-8', text: await metrics.text() };
    case '/healthz': {
      const reason = trouble();
      return { status: reason === null ? 200 : 503, type: PLAIN, text: `${reason ?? 'ok'}\n` };
    }
    case '/readyz':
      return { status: isReady() ? 200 : 503, type: PLAIN, text: isReady() ? 'ok\n' : 'no model yet\n' };
    default:
      return { status: 404, type: PLAIN, text: 'there are /metrics, /healthz and /readyz\n' };
  }
}
