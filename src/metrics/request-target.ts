import type { IncomingMessage } from 'node:http';

/** For whom a request is, and what of it: `host` as it was sent, with its port. */
export interface RequestTarget {
  readonly host: string;
  readonly path: string;
}

/**
 * A server has to take whole URLs as well, as programs send them that think it a proxy; their host counts then, whatever the
 * header says (RFC 9112, 3.2.2).
 */
export function requestTarget({ url = '/', headers }: Pick<IncomingMessage, 'url' | 'headers'>): RequestTarget {
  const [, host = headers.host ?? '', path = ''] = /^(?:https?:\/\/([^/?#]*))?([^?#]*)/i.exec(url) ?? [];
  return { host, path: path === '' ? '/' : path };
}
