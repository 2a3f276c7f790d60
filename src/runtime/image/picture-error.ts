import { Blip2Error } from '../../errors.js';

/** Whether one picture is at fault: others of the same run are not. */
export function isPictureError(error: unknown): error is Blip2Error {
  return error instanceof Blip2Error && error.code.startsWith('IMAGE_');
}
