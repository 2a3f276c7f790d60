/** Files as URLs. A URL names a file whatever its name holds: control characters, and bytes that are no UTF-8. */
import { isUtf8 } from 'node:buffer';
import { resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

/** The `file:` URL of a path, as bytes of the file system. */
export function fileUrl(path: Uint8Array): string {
  if (isUtf8(path)) return pathToFileURL(Buffer.from(path).toString()).href;
  const isAbsolute = path[0] === SLASH;
  const whole = isAbsolute ? path : Buffer.concat([Buffer.from(`${resolve()}/`), path]);
  const encoded = Array.from(whole, (byte) => {
    const character = String.fromCharCode(byte);
    return /[\w./~-]/.test(character) ? character : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`;
  });
  return `file://${encoded.join('')}`;
}

const SLASH = 0x2f;

/**
 * The path that a `file:` URL names: text, or bytes where it is no UTF-8.
 * @throws TypeError for a URL of another machine or one that names no path
 */
export function pathOfFileUrl(url: URL): string | Buffer {
  try {
    return fileURLToPath(url);
  } catch (error) {
    if (!(error instanceof URIError)) throw error;
    return Buffer.from(
      url.pathname.replaceAll(/%([\dA-F]{2})/gi, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16))),
      'latin1',
    );
  }
}

// eslint-disable-next-line no-control-regex -- these are what breaks a line, and what a terminal obeys
const CONTROL = /[\u0000-\u001f\u007f-\u009f\u2028\u2029]/;

/**
 * A picture's path or URL in a line of text: as it stands, or as a URL where it has tabs, line breaks or other control
 * characters, so that a line stays a line.
 */
export function inLine(picture: string): string {
  if (!CONTROL.test(picture)) return picture;
  return /^(?:https?|file|data):/i.test(picture) ? encodeURI(picture) : pathToFileURL(picture).href;
}
