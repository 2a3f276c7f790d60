import { badField } from './api-error.js';

const DATA_URL = /^data:[^,;]{0,100}(?:;[^,;]{1,100}){0,4}?;base64,/i;
const BASE64 = /^[A-Za-z0-9+/]*={0,2}$/;

/**
 * The bytes of a `data:` URL in base64. What its type says does not count: the bytes do.
 * @throws Blip2Error `REQUEST_INVALID`
 */
export function bytesOfDataUrl(url: string, param: string): Uint8Array {
  const [head] = DATA_URL.exec(url.slice(0, 600)) ?? [];
  if (head === undefined) {
    throw badField(param, 'the data: URL of the picture is not in base64', 'Write it as data:image/jpeg;base64,...');
  }
  // Some encoders break lines, and some write a URL's bytes in hexadecimal digits wherever they might mean something.
  const plain = url.slice(head.length).replaceAll(/%([0-9a-f]{2})/gi, (_, hex: string) => charOf(hex));
  const text = plain.replaceAll(/[\r\n\t ]+/g, '');
  const wholeGroups = text.length % 4 === 0 || (!text.endsWith('=') && text.length % 4 !== 1);
  if (!wholeGroups || !BASE64.test(text)) throw badField(param, 'the base64 of the picture is damaged');
  if (text === '') throw badField(param, 'the picture is empty');
  return Buffer.from(text, 'base64');
}

const charOf = (hex: string): string => String.fromCharCode(Number.parseInt(hex, 16));
