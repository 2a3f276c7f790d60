import { expect, it } from 'vitest';
import { bytesOfDataUrl } from './data-url.js';

const BYTES = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte));
const TEXT = BYTES.toString('base64');

it.each([
  `data:image/png;base64,${TEXT}`,
  `DATA:;BASE64,${TEXT.replaceAll('=', '')}`,
  `data:image/png;charset=utf-8;name="a";base64,${TEXT.replaceAll(/.{76}/g, '$&\r\n')}`,
  // As a URL's bytes may be written, all of them or those that mean something elsewhere.
  `data:image/png;base64,${encodeURIComponent(TEXT)}`,
  `data:image/png;base64,${TEXT.replaceAll('+', '%2b').replaceAll(/.{76}/g, '$&%0D%0a%20')}`,
])('%.40s... is read', (url) => {
  expect(bytesOfDataUrl(url, 'messages')).toEqual(BYTES);
});

it.each([
  'data:image/png,abcd',
  'data:image/png;base64,',
  'data:image/png;base64,abc%',
  'data:image/png;base64,ab%2',
  'data:image/png;base64,abc%C3%A9',
  'data:image/png;base64,ab==cd==',
  'data:image/png;base64,abcd=',
])('%s is refused', (url) => {
  expect(() => bytesOfDataUrl(url, 'messages')).toThrow(expect.objectContaining({ code: 'REQUEST_INVALID' }));
});
