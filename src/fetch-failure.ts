/** Why a request got no answer: `fetch` itself says "fetch failed", and leaves the rest to the causes of that. */

export interface FetchFailure {
  /** What happened, as the system says it. */
  readonly reason: string;
  /** What to do about it, where that is known. */
  readonly hint: string | undefined;
  /** Whether the same request would fail again. */
  readonly isLasting: boolean;
}

/** Codes of OpenSSL and Node for a certificate that is not trusted, or not of this server. */
const CERTIFICATE = /CERT|SELF_SIGNED|UNABLE_TO_VERIFY|UNABLE_TO_GET_ISSUER/;
const NO_WAY = new Set([
  'ENOTFOUND',
  'EAI_AGAIN',
  'ECONNREFUSED',
  'ETIMEDOUT',
  'ENETUNREACH',
  'EHOSTUNREACH',
  'UND_ERR_CONNECT_TIMEOUT',
]);
/** What is wrong with an address, before anything is sent or after it has led on; they have no codes. */
const OF_ADDRESS = new Set(['bad port', 'unknown scheme', 'redirect count exceeded']);

/** @param error that `fetch` was rejected with */
export function fetchFailure(error: unknown, env: NodeJS.ProcessEnv = process.env): FetchFailure {
  const innermost = innermostOf(error);
  const reason = innermost instanceof Error ? innermost.message : String(innermost);
  const code = innermost instanceof Error && 'code' in innermost ? String(innermost.code) : '';
  // The message has the whole address in it.
  if (/includes credentials/.test(reason))
    return { reason: 'its address holds a name or password', hint: undefined, isLasting: true };
  if (/wrong version number|packet length too long/.test(reason))
    return { reason: 'what answers there speaks no TLS', hint: 'Write http:// where it is to be so.', isLasting: true };
  if (CERTIFICATE.test(code)) return { reason: `${reason} (${code})`, hint: TRUST, isLasting: true };
  if (OF_ADDRESS.has(reason)) return { reason, hint: undefined, isLasting: true };
  return { reason: reason || code, hint: NO_WAY.has(code) ? proxyHint(env) : undefined, isLasting: false };
}

const TRUST =
  'If whoever signed its certificate is to be trusted (a proxy of your company, a mirror of your own), name a file with theirs in NODE_EXTRA_CA_CERTS. Where one has expired, check the clock.';

/** Node does not heed the variables that other programs find a proxy by, unless it is told to. */
function proxyHint(env: NodeJS.ProcessEnv): string | undefined {
  const variable = (name: string): string | undefined => env[name] ?? env[name.toLowerCase()];
  const isSet = (variable('HTTPS_PROXY') ?? variable('HTTP_PROXY') ?? '') !== '';
  if (!isSet || variable('NODE_USE_ENV_PROXY') === '1') return undefined;
  return 'HTTPS_PROXY or HTTP_PROXY is set: Node goes through that proxy with NODE_USE_ENV_PROXY=1, from 22.21 and 24.0 on.';
}

/** Of a host with several addresses, the first that was tried. */
function innermostOf(error: unknown): unknown {
  if (error instanceof AggregateError && error.errors.length > 0) return innermostOf(error.errors[0]);
  return error instanceof Error && error.cause !== undefined ? innermostOf(error.cause) : error;
}
