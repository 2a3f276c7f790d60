/** The HTTP server: who may ask for what, and where answers and failures go. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { Server as NetServer, type AddressInfo } from 'node:net';
import { setTimeout } from 'node:timers/promises';
import { Blip2Error } from '../errors.js';
import type { ErrorCode } from '../error-codes.js';
import { requestTarget, type RequestTarget } from '../metrics/request-target.js';
import type { Caption } from '../runtime/engine/captioner-options.js';
import { Admission } from './admission.js';
import { answerChat, type ChatContext } from './answer-chat.js';
import { apiError } from './api/api-error.js';
import { parseChatRequest } from './api/chat-request.js';
import { parseResponsesRequest } from './api/responses-request.js';
import { OpenExchanges, type Exchange } from './http/open-exchanges.js';
import { readJsonBody } from './http/read-body.js';
import { quietTurn } from './http/quiet-turn.js';
import { sendError, sendJson, sendText } from './http/send.js';
import { checkAsker } from './http/who-may-ask.js';
import type { KeptModel } from './kept-model.js';
import type { ServeLimits } from './limits.js';
import { ServeMetrics } from './serve-metrics.js';

const METRICS_TYPE = 'text/plain; version=0.0.4; charset=utf-8';
const HEADERS_MS = 10_000;
/** Longer than those who send requests through proxies keep their connections. */
const KEEP_ALIVE_MS = 75_000;
const MOST_CONNECTIONS = 4096;
/** After the server was told to stop, who is about to send a request on an open connection gets so long, and an answer. */
const LAST_REQUESTS_MS = 500;
/** And who has a connection when the port is closed, or an answer after that, so long for one more. */
const NEXT_REQUEST_MS = 250;
/** And who is told that there will be no answer, so long to read it. */
const CUT_OFF_MS = 2000;

export interface ServerSettings extends Omit<ChatContext, 'caption' | 'onFirstToken'> {
  readonly limits: ServeLimits;
  /** null where the server is this machine's alone. */
  readonly token: string | null;
  readonly onAnswered?: (answered: Answered) => void;
}

/** A request that is done, for a log. */
export interface Answered {
  readonly method: string;
  readonly path: string;
  readonly status: number;
  readonly code: ErrorCode | null;
  readonly ms: number;
  readonly newTokens: number | null;
  /** Why, where it is not the sender's fault. */
  readonly error: unknown;
}

export class CaptionServer {
  readonly #model: Pick<KeptModel, 'caption' | 'isReady'>;
  readonly #settings: ServerSettings;
  readonly #server: Server;
  readonly #admission: Admission;
  readonly #metrics: ServeMetrics;
  readonly #open = new OpenExchanges();
  readonly #startedS = Math.floor(Date.now() / 1000);
  #isStopping = false;
  #isClosed = false;
  /** Requests so far. */
  #asked = 0;

  constructor(model: Pick<KeptModel, 'caption' | 'isReady'>, settings: ServerSettings) {
    this.#model = model;
    this.#settings = settings;
    this.#admission = new Admission(settings.limits);
    this.#metrics = new ServeMetrics(() => this.#admission.requests);
    this.#server = createServer(
      {
        headersTimeout: HEADERS_MS,
        // Bodies that are read have a limit of their own.
        requestTimeout: settings.limits.bodyMs + HEADERS_MS,
        keepAliveTimeout: KEEP_ALIVE_MS,
      },
      (request, response) => void this.#serve(request, response),
    );
    this.#server.on('connection', (socket) => this.#open.watch(socket));
    this.#server.maxConnections = MOST_CONNECTIONS;
  }

  get metrics(): ServeMetrics {
    return this.#metrics;
  }

  /** @throws Blip2Error `PORT_TAKEN` where the address is taken or not this machine's */
  async listen(port: number, host: string): Promise<AddressInfo> {
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', (cause) =>
        reject(
          new Blip2Error('PORT_TAKEN', `the server cannot listen on ${host}, port ${port}: ${cause.message}`, {
            hint: 'Choose another with --host and --port; port 0 is any that is free.',
            cause,
          }),
        ),
      );
      this.#server.listen({ port, host }, resolve);
    });
    return this.#server.address() as AddressInfo;
  }

  /**
   * Answers the requests that it has and those that are on their way, takes no others, and cuts off what is late. Connections
   * are kept until the port is closed: who had to make another would find it closing.
   */
  async stop(timeoutMs: number): Promise<void> {
    this.#isStopping = true;
    await setTimeout(Math.min(LAST_REQUESTS_MS, timeoutMs));
    await quietTurn();
    // HTTP's own way would also end the connections whose first request is on its way.
    const closed = new Promise<void>((resolve) => void NetServer.prototype.close.call(this.#server, () => resolve()));
    this.#isClosed = true;
    for (const { response } of this.#open) if (!response.headersSent) response.setHeader('connection', 'close');
    await Promise.race([this.#unasked(), setTimeout(timeoutMs, undefined, { ref: false })]);
    const late = new Blip2Error('SERVICE_CLOSED', 'the server was stopped before the answer was made');
    for (const { work } of this.#open) work.abort(late);
    await Promise.race([this.#open.answered(), setTimeout(CUT_OFF_MS, undefined, { ref: false })]);
    this.#server.closeAllConnections();
    await closed;
  }

  /** Until all is answered and nobody has asked for a while. */
  async #unasked(): Promise<void> {
    for (let before = -1; before !== this.#asked || this.#open.size > 0;) {
      await this.#open.answered();
      before = this.#asked;
      await setTimeout(NEXT_REQUEST_MS);
    }
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const exchange = this.#open.add(request, response);
    this.#asked += 1;
    if (this.#isClosed) response.setHeader('connection', 'close');
    const target = requestTarget(request);
    let caption: Caption | null = null;
    let failure: unknown = null;
    try {
      caption = await this.#route(target, exchange);
    } catch (error) {
      failure = exchange.work.signal.aborted ? exchange.work.signal.reason : error;
      await sendError(request, response, apiError(failure));
    }
    this.#note(target.path, exchange, caption, failure);
  }

  #note(path: string, { request, response, beganMs }: Exchange, caption: Caption | null, failure: unknown): void {
    const { status, body } = failure === null ? { status: response.statusCode, body: null } : apiError(failure);
    const code = body?.error.code ?? null;
    const ms = performance.now() - beganMs;
    this.#metrics.answered(status, code);
    if (caption !== null) this.#metrics.captioned(caption, ms / 1000);
    this.#settings.onAnswered?.({
      method: request.method ?? '',
      path: path.slice(0, 200),
      status,
      code,
      ms,
      newTokens: caption?.answers[0]?.ids.length ?? null,
      error: status >= 500 ? failure : null,
    });
  }

  /** Answers; returns what was made where it was a caption. */
  async #route({ path, host }: RequestTarget, exchange: Exchange): Promise<Caption | null> {
    const { request, response } = exchange;
    const { token, modelName } = this.#settings;
    const allow = (method: 'GET' | 'POST'): void => {
      if (request.method === method || (method === 'GET' && request.method === 'HEAD')) return;
      response.setHeader('allow', method);
      throw new Blip2Error('METHOD_REFUSED', `${path} takes ${method}`);
    };
    if (path === '/health' || path === '/healthz') {
      allow('GET');
      const status = this.#isStopping ? 'stopping' : this.#model.isReady ? 'ok' : 'starting';
      sendJson(response, status === 'ok' ? 200 : 503, { status });
      return null;
    }
    checkAsker(host, request.headers.authorization, token);
    const model = { id: modelName, object: 'model', created: this.#startedS, owned_by: 'blip2-device-map' };
    switch (path.replace(/^\/v1(?=\/)/, '')) {
      case '/chat/completions':
        allow('POST');
        return this.#chat(exchange, parseChatRequest);
      case '/responses':
        allow('POST');
        return this.#chat(exchange, parseResponsesRequest);
      case '/models':
        allow('GET');
        sendJson(response, 200, { object: 'list', data: [model] });
        return null;
      case `/models/${encodeURIComponent(modelName)}`:
      case `/models/${modelName}`:
        allow('GET');
        sendJson(response, 200, model);
        return null;
      case '/metrics':
        allow('GET');
        sendText(response, 200, await this.#metrics.text(), METRICS_TYPE);
        return null;
      default:
        throw new Blip2Error('NOT_FOUND', `there is nothing at ${path.slice(0, 200)}`, {
          hint: 'There are /v1/chat/completions, /v1/responses, /v1/models, /health and /metrics.',
        });
    }
  }

  async #chat({ request, response, work, beganMs }: Exchange, parse: typeof parseChatRequest): Promise<Caption> {
    const { limits } = this.#settings;
    using place = this.#admission.enter();
    const body = await readJsonBody(request, place, limits);
    const chat = parse(body, limits.newTokens);
    const late = new Blip2Error('ANSWER_TIMEOUT', `the answer was not made in ${limits.answerMs / 1000} s`);
    const timer = globalThis.setTimeout(() => work.abort(late), limits.answerMs);
    try {
      return await answerChat(chat, response, place, work.signal, {
        ...this.#settings,
        caption: (asked) => this.#model.caption(asked),
        onFirstToken: () => this.#metrics.began((performance.now() - beganMs) / 1000),
      });
    } finally {
      clearTimeout(timer);
    }
  }
}
