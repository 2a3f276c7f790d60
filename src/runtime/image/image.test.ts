import { readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Blip2Error } from '../../errors.js';
import { decodePicture } from './decode-picture.js';
import { readJpegHeader } from './jpeg/jpeg-header.js';
import { preparePixels, resizeBicubic } from '../../../test/golden/prepare-pixels.js';
import { parsePreprocessorConfig } from './preprocessor-config.js';

const FOLDER = new URL('../../../test/fixtures/pictures/', import.meta.url).pathname;

interface Recorded {
  readonly decoded: { file: string; mode: string; width: number; height: number; rgb: string }[];
  readonly resized: {
    width: number;
    height: number;
    toWidth: number;
    toHeight: number;
    source: string;
    target: string;
  }[];
  readonly pixelValues: { file: string; options: object; shape: [number, number, number]; data: string }[];
}
const recorded = JSON.parse(readFileSync(`${FOLDER}pictures.json`, 'utf8')) as Recorded;
const bytes = (base64: string): Uint8Array => new Uint8Array(Buffer.from(base64, 'base64'));

describe('decodePicture gives the bytes that Pillow gives', () => {
  it.each(recorded.decoded)('$file ($mode)', async ({ file, width, height, rgb }) => {
    expect(await decodePicture(FOLDER + file)).toEqual({ data: bytes(rgb), width, height });
  });

  it.each(recorded.decoded)('$file has as many pixels as it may, and not one more', async ({ file, width, height }) => {
    expect(await decodePicture(FOLDER + file, width * height)).toMatchObject({ width, height });
    const fewer = decodePicture(FOLDER + file, width * height - 1);
    await expect(fewer).rejects.toMatchObject({ code: 'IMAGE_TOO_LARGE' });
  });

  it('from memory as from a path', async () => {
    const file = `${FOLDER}rgba.png`;
    expect(await decodePicture(await readFile(file))).toEqual(await decodePicture(file));
  });
});

describe('readJpegHeader', () => {
  it.each([
    ['chroma-420.jpg', 3, false],
    ['progressive.jpg', 3, true],
    ['grey.jpg', 1, false],
    ['cmyk.jpg', 4, false],
  ])('%s has %i channels', (file, channels, hasManyScans) => {
    expect(readJpegHeader(readFileSync(FOLDER + file))).toMatchObject({ channels, hasManyScans, restarts: 0 });
  });

  it('reads no further than the bytes, wherever they end', () => {
    const whole = readFileSync(`${FOLDER}chroma-420.jpg`);
    const { dataBegin } = readJpegHeader(whole);
    for (let length = 0; length < dataBegin; length++) {
      expect(() => readJpegHeader(whole.subarray(0, length))).toThrow(RangeError);
    }
    expect(readJpegHeader(whole.subarray(0, dataBegin))).toEqual(readJpegHeader(whole));
    const jpegLike = fc.uint8Array({ maxLength: 64 }).map((rest) => Uint8Array.of(0xff, 0xd8, 0xff, ...rest));
    fc.assert(
      fc.property(jpegLike, (file) => {
        expect(() => readJpegHeader(file)).toThrow();
      }),
    );
  });
});

describe('decodePicture refuses', () => {
  const codeOf = async (source: string | Uint8Array): Promise<unknown> =>
    decodePicture(source).then(
      () => 'decoded',
      (error: unknown) => (error instanceof Blip2Error ? error.code : error),
    );

  it.each(['truncated.jpg', 'truncated.png', 'pictures.json'])('%s', async (file) => {
    expect(await codeOf(FOLDER + file)).toBe('IMAGE_UNREADABLE');
  });

  it('a picture that is not read, by its name', async () => {
    expect(await codeOf(`${FOLDER}vector.svg`)).toBe('IMAGE_UNSUPPORTED');
    await expect(decodePicture(`${FOLDER}vector.svg`)).rejects.toThrow('vector.svg is an SVG');
  });

  it('a folder, an empty file, a file that is not there', async () => {
    expect(await codeOf(FOLDER)).toBe('IMAGE_UNREADABLE');
    expect(await codeOf(new Uint8Array())).toBe('IMAGE_UNREADABLE');
    expect(await codeOf(`${FOLDER}absent.png`)).toBe('IMAGE_NOT_FOUND');
  });

  it('in one line that names the file', async () => {
    await expect(decodePicture(`${FOLDER}truncated.jpg`)).rejects.toThrow(
      /^\S+truncated\.jpg cannot be read as a picture: .*$/,
    );
  });
});

describe('resizeBicubic', () => {
  it.each(recorded.resized)(
    'equals Pillow from $width x $height to $toWidth x $toHeight',
    ({ width, height, toWidth, toHeight, source, target }) => {
      const picture = { data: bytes(source), width, height };
      expect(resizeBicubic(picture, toWidth, toHeight)).toEqual({
        data: bytes(target),
        width: toWidth,
        height: toHeight,
      });
    },
  );

  it('keeps a picture of one colour', () => {
    const side = fc.integer({ min: 1, max: 40 });
    fc.assert(
      fc.property(side, side, side, side, fc.integer({ min: 0, max: 255 }), (width, height, w, h, level) => {
        const data = new Uint8Array(width * height * 3).fill(level);
        expect(new Set(resizeBicubic({ data, width, height }, w, h).data)).toEqual(new Set([level]));
      }),
    );
  });
});

describe('preparePixels gives the values of BlipImageProcessorPil', () => {
  it.each(recorded.pixelValues)('$options', async ({ file, options, shape, data }) => {
    const pixels = await preparePixels(FOLDER + file, parsePreprocessorConfig(options));
    expect([3, pixels.height, pixels.width]).toEqual(shape);
    expect(new Uint8Array(pixels.data.buffer)).toEqual(bytes(data));
  });
});

describe('parsePreprocessorConfig', () => {
  it('reads the three ways to write a size, and falls back to 384 only where there is none', () => {
    expect(parsePreprocessorConfig({ size: { height: 364, width: 224 } }).size).toEqual({ height: 364, width: 224 });
    expect(parsePreprocessorConfig({ size: 364 }).size).toEqual({ height: 364, width: 364 });
    expect(parsePreprocessorConfig({ size: [364, 224] }).size).toEqual({ height: 364, width: 224 });
    expect(parsePreprocessorConfig({}).size).toEqual({ height: 384, width: 384 });
    expect(parsePreprocessorConfig({ do_resize: false, size: 224 }).size).toBeNull();
  });

  it('knows the class by its name of before transformers 4.26, which does not count beside the newer one', () => {
    const older = (name: string, type?: string) =>
      parsePreprocessorConfig({ feature_extractor_type: name, image_processor_type: type, size: 224 }).size?.width;
    expect(older('BlipFeatureExtractor')).toBe(224);
    expect(older('CLIPFeatureExtractor', 'BlipImageProcessor')).toBe(224);
    expect(() => older('CLIPFeatureExtractor')).toThrow('feature_extractor_type: "CLIPImageProcessor" prepares');
  });

  it.each([
    { resample: 2 },
    { size: { shortest_edge: 224 } },
    { size: 0 },
    { size: 224, default_to_square: null },
    { image_mean: [0.5] },
    { do_convert_rgb: false },
    { do_convert_rgb: null },
    { feature_extractor_type: '' },
    null,
    'text',
  ])('refuses %j', (json) => {
    expect(() => parsePreprocessorConfig(json)).toThrow(Blip2Error);
  });

  const square = { height: 96, width: 96 };

  // transformers 5.24 loads none of them, whether or not it would crop or pad.
  it.each([
    { size: { ...square, shortest_edge: 96 } },
    { size: { ...square, longest_edge: null } },
    { size: { ...square, max_height: 96, max_width: 96 } },
    { size: { ...square, depth: 3 } },
    { size: { height: 96 } },
    { crop_size: { ...square, shortest_edge: 96 }, do_center_crop: false },
    { crop_size: {}, do_center_crop: false },
    { crop_size: 'x' },
    { crop_size: [96] },
    { pad_size: { height: 96 } },
  ])('names what is no size in %j', (json) => {
    const [field = ''] = Object.keys(json);
    expect(() => parsePreprocessorConfig({ size: square, ...json })).toThrow(`${field}: `);
  });

  it.each([{}, { height: 96 }, [96], 'x', 9.5])('says that %j is no size', (size) => {
    const settings = { size: square, crop_size: size, do_center_crop: false };
    expect(() => parsePreprocessorConfig(settings)).toThrow(`crop_size: ${JSON.stringify(size)} is no size`);
  });

  it.each([null, 96, [96, 96], square, { shortest_edge: 96 }, { longest_edge: 96, shortest_edge: 96 }])(
    'does not crop to %j where no crop is asked for',
    (size) => {
      const settings = { size: square, crop_size: size, do_center_crop: false, pad_size: size };
      expect(parsePreprocessorConfig(settings).size).toEqual(square);
    },
  );
});
