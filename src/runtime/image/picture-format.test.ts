import { describe, expect, it } from 'vitest';
import { foreignFormat, pictureFormat } from './picture-format.js';

const bytes = (text: string): Uint8Array => Buffer.from(text, 'latin1');

describe('what a file is, by its first bytes', () => {
  it.each([
    ['\xff\xd8\xff\xe0', 'JPEG'],
    ['\x89PNG\r\n\x1a\n', 'PNG'],
    ['RIFF\0\0\0\0WEBPVP8 ', 'WebP'],
    ['GIF87a', 'GIF'],
    ['GIF89a', 'GIF'],
    ['II*\0\x08\0\0\0', 'TIFF'],
    ['MM\0*\0\0\0\x08', 'TIFF'],
    ['II+\0\x08\0\0\0', 'TIFF'],
    ['\0\0\0\x1cftypavif\0\0\0\0mif1miaf', 'AVIF'],
    ['\0\0\0\x1cftypmif1\0\0\0\0mif1avif', 'AVIF'],
    ['\0\0\0\x18ftypmif1\0\0\0\0heicmif1', undefined],
    ['RIFF\0\0\0\0WAVEfmt ', undefined],
    ['BM\x36\0\0\0\0\0\0\0\x36\0\0\0\x28\0\0\0', 'BMP'],
    ['BMX is a word, and not the beginning of a picture', undefined],
    ['P6\n1 1\n255\n', 'PNM'],
    ['P1\t1 1 0', 'PNM'],
    ['P5 # levels\n', 'PNM'],
    ['P60 is a word', undefined],
    ['P1 page.png\nP2 page.png', undefined],
    ['', undefined],
  ])('%j is %s', (text, format) => {
    expect(pictureFormat(bytes(text))).toBe(format);
  });

  it.each([
    ['BM\x36\0\0\0\0\0\0\0', 'BMP'],
    ['P7\nWIDTH 1\n', 'PAM'],
    ['Pf\n1 1\n-1.0\n', 'PFM'],
    ['\0\0\0\x18ftypheic\0\0\0\0mif1heic', 'HEIC'],
    ['\xff\x0a', 'JPEG XL'],
    ['\xff\x4f\xff\x51', 'JPEG 2000'],
    ['8BPS\0\x01', 'Photoshop'],
    ['\0\0\x01\0\x01\0\x10\x10', 'icon'],
    ['%PDF-1.7', 'page'],
    ['<?xml version="1.0"?>\n<svg xmlns="http://www.w3.org/2000/svg">', 'SVG'],
    ['<!DOCTYPE html><html>', 'web page'],
  ])('%j is not read, and is named: %s', (text, name) => {
    expect(pictureFormat(bytes(text))).toBeUndefined();
    expect(foreignFormat(bytes(text))).toContain(name);
  });

  it('does not name what it does not know', () => {
    expect(foreignFormat(bytes('\0\0\x02\0\0\0\0\0\0\0\0\0\x10\0\x10\0\x18\0'))).toBeUndefined();
    expect(foreignFormat(bytes('no picture'))).toBeUndefined();
    expect(foreignFormat(bytes('Big'))).toBeUndefined();
  });
});
