import { Blip2Error } from '../../../src/errors.js';
import { labelOf } from '../settings/label-of.js';
import type { Fault } from './messages.js';

/** What went wrong, as text to show, in the words of the page. */
export function faultOf(error: unknown): Fault {
  if (error instanceof Blip2Error) {
    const { message, hint = null } = error.inWordsOf(labelOf);
    return { code: error.code, message, hint };
  }
  return { code: 'UNEXPECTED', message: error instanceof Error ? error.message : String(error), hint: null };
}
