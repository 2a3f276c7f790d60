import { closeSync, openSync } from 'node:fs';
import { devNull } from 'node:os';
import koffi from 'koffi';

const STDERR = 2;

/**
 * What a call of native code returns, without what that writes to stderr: Mesa's and Dawn's words about displays and about
 * adapters that nobody has chosen. Where `BLIP2_DEBUG` is set they are let through. For synchronous calls on POSIX: what this
 * process itself has to say cannot come between.
 */
export function quietly<T>(call: () => T): T {
  if (process.platform === 'win32' || process.env['BLIP2_DEBUG'] !== undefined) return call();
  const libc = koffi.load(null);
  const duplicate = libc.func('dup', 'int', ['int']) as (fd: number) => number;
  const replace = libc.func('dup2', 'int', ['int', 'int']) as (from: number, to: number) => number;
  const own = duplicate(STDERR);
  // Closed, or no descriptor left.
  if (own < 0) return call();
  const nowhere = openSync(devNull, 'w');
  replace(nowhere, STDERR);
  closeSync(nowhere);
  try {
    return call();
  } finally {
    replace(own, STDERR);
    closeSync(own);
  }
}
