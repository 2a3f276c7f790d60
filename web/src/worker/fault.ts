import { Blip2Error } from '../../../src/errors.js';
import type { Fault } from './messages.js';

/** What went wrong, as text to show. */
export function faultOf(error: unknown): Fault {
  if (error instanceof Blip2Error) return { code: error.code, message: error.message, hint: error.hint ?? null };
  return { code: 'UNEXPECTED', message: error instanceof Error ? error.message : String(error), hint: null };
}
