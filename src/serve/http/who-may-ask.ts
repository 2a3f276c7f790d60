import { createHash, timingSafeEqual } from 'node:crypto';
import { BlockList, isIP } from 'node:net';
import { Blip2Error } from '../../errors.js';

const loopback = new BlockList();
loopback.addSubnet('127.0.0.0', 8, 'ipv4');
loopback.addAddress('::1', 'ipv6');

/** Whether nobody but this machine reaches a server that listens there. */
export function isLoopback(host: string): boolean {
  const address = host.replace(/^\[(.*)\]$/, '$1');
  if (isIP(address) === 0) return /^localhost\.?$/i.test(address);
  return loopback.check(address, isIP(address) === 6 ? 'ipv6' : 'ipv4');
}

/**
 * Refuses who does not have the token. Where none is asked for, the server is this machine's alone: requests that name another
 * host come from a page whose name was made to point here.
 * @throws Blip2Error `TOKEN_INVALID`, `HOST_REFUSED`
 */
export function checkAsker(host: string, authorization: string | undefined, token: string | null): void {
  if (token === null) {
    if (isLoopback(host.replace(/:\d*$/, ''))) return;
    throw new Blip2Error(
      'HOST_REFUSED',
      `the request is for ${JSON.stringify(host.slice(0, 100))}, not for this machine`,
      { hint: 'Ask http://127.0.0.1, or start the server with a token.' },
    );
  }
  const [, given] = /^Bearer\s+(\S+)\s*$/i.exec(authorization ?? '') ?? [];
  if (given !== undefined && timingSafeEqual(digest(given), digest(token))) return;
  throw new Blip2Error(
    'TOKEN_INVALID',
    given === undefined ? 'the request has no token' : 'the token is not the right one',
    { hint: 'Send it as Authorization: Bearer TOKEN; clients call it an API key.' },
  );
}

/** Of one length, whatever is compared. */
const digest = (text: string): Buffer => createHash('sha256').update(text).digest();
