/**
 * How pictures become pixels, as `preprocessor_config.json` or, from transformers 5 on, `image_processor` in
 * `processor_config.json` says it, with the defaults of transformers' `BlipImageProcessor` for what the file leaves out.
 */
import * as z from 'zod';
import { parseDocument } from '../../parse-document.js';

export interface PreprocessorConfig {
  /** Size in pixels that every picture is brought to, or null where the file says not to resize. */
  readonly size: { readonly height: number; readonly width: number } | null;
  /** Factor on 8-bit values, or null where the file says not to rescale. */
  readonly rescaleFactor: number | null;
  /** Per channel (red, green, blue), or null where the file says not to normalise. */
  readonly normalize: { readonly mean: Rgb; readonly std: Rgb } | null;
}

type Rgb = readonly [number, number, number];

/** OpenAI CLIP's, which BLIP-2's vision tower was trained with. */
const CLIP_MEAN: Rgb = [0.48145466, 0.4578275, 0.40821073];
const CLIP_STD: Rgb = [0.26862954, 0.26130258, 0.27577711];

/**
 * The class default of transformers. No published BLIP-2 uses it (they are 224 or 364): it is the answer only for a file
 * that says nothing about its size, as it is there.
 */
const CLASS_SIZE = 384;

/** Pillow's number for its bicubic filter. */
const BICUBIC = 3;

/** The classes of transformers that prepare BLIP-2's pictures. Others have defaults of their own. */
const PROCESSOR_CLASS = /^BlipImageProcessor(Fast|Pil)?$/;

/** What the class can do beside resizing, and no published BLIP-2 asks for. */
const notDone = z.literal(false).nullish();

const pixels = z.number().int().positive();
/** Keys beside these, or some of them alone, are none of the forms that the class knows. */
const heightAndWidth = z.strictObject({ height: pixels, width: pixels });

/** The sets of keys that transformers 5 takes for a size, whether or not a step reads it. */
const SIZES = [
  'height width',
  'shortest_edge',
  'longest_edge shortest_edge',
  'longest_edge',
  'max_height max_width',
  'max_pixels min_pixels',
];

const NO_SIZE = { error: ({ input }: { readonly input?: unknown }) => `${JSON.stringify(input)} is no size` };

/** A size that no step here reads; one of no known form is an error there all the same. */
const unreadSize = z
  .union(
    [
      z.number().int(),
      z.boolean(),
      z.array(z.unknown()).min(2, NO_SIZE),
      z.record(z.string(), z.unknown()).refine((size) => SIZES.includes(Object.keys(size).sort().join(' ')), NO_SIZE),
    ],
    NO_SIZE,
  )
  .nullish();

/** @param value within what can be meant: beyond it, every picture would look the same, or be no numbers at all */
const perChannel = (value: z.ZodNumber) =>
  z
    .union([z.tuple([value, value, value]), value], {
      error: ({ input }) => `${JSON.stringify(input)} is not one number or three, ${within(value)}`,
    })
    .transform((v): Rgb => (typeof v === 'number' ? [v, v, v] : v));
const within = ({ minValue, maxValue }: z.ZodNumber): string => `from ${minValue} to ${maxValue}`;
const meanValue = z.number().min(-1000).max(1000);
const stdValue = z.number().min(0.0001).max(10_000);
const rescale = z.number().refine((factor) => factor >= 0.000001 && factor <= 1000, {
  error: ({ input }) => `${String(input)} is not from 0.000001 to 1000`,
});

/** A step that the class takes unless the file says not to; null is a no, as it is there. */
const step = z
  .boolean()
  .nullable()
  .default(true)
  .transform((isTaken) => isTaken === true);

/** Fields that may not be null where a step is taken. */
const NEEDED = [
  ['do_resize', ['size', 'resample']],
  ['do_rescale', ['rescale_factor']],
  ['do_normalize', ['image_mean', 'image_std']],
] as const;

const schema = z
  .looseObject({
    image_processor_type: z.string().regex(PROCESSOR_CLASS).nullish(),
    /** What transformers before 4.26 wrote in its place. */
    feature_extractor_type: z.string().nullish(),
    do_center_crop: notDone,
    do_pad: notDone,
    /** Without it transformers takes pictures of three channels as they are, and fails at all others. */
    do_convert_rgb: z.literal(true, { error: 'has to be true, which is the same for pictures in RGB' }).default(true),
    do_resize: step,
    crop_size: unreadSize,
    pad_size: unreadSize,
    size: z
      .union(
        [
          heightAndWidth,
          pixels.transform((side) => ({ height: side, width: side, isSide: true })),
          z.tuple([pixels, pixels]).transform(([height, width]) => ({ height, width })),
        ],
        {
          error: ({ input }) =>
            `${JSON.stringify(input)} is not {"height", "width"} alone, one number or two, in whole pixels`,
        },
      )
      .nullable()
      .prefault(CLASS_SIZE),
    default_to_square: z.boolean().nullable().default(true),
    resample: z.literal(BICUBIC).nullable().prefault(BICUBIC),
    do_rescale: step,
    rescale_factor: rescale.nullable().default(1 / 255),
    do_normalize: step,
    image_mean: perChannel(meanValue).nullable().default(CLIP_MEAN),
    image_std: perChannel(stdValue).nullable().default(CLIP_STD),
  })
  .superRefine((c, ctx) => {
    const older = c.feature_extractor_type?.replace('FeatureExtractor', 'ImageProcessor') ?? null;
    if (older !== null && typeof c.image_processor_type !== 'string' && !PROCESSOR_CLASS.test(older))
      ctx.addIssue({ code: 'custom', path: ['feature_extractor_type'], message: `"${older}" prepares other pictures` });
    for (const [name, fields] of NEEDED) {
      for (const field of fields) {
        if (c[name] && c[field] === null)
          ctx.addIssue({ code: 'custom', path: [field], message: `null, which ${name} needs` });
      }
    }
    const isSide = typeof c.size === 'object' && c.size !== null && 'isSide' in c.size;
    if (isSide && c.default_to_square !== true)
      ctx.addIssue({
        code: 'custom',
        path: ['default_to_square'],
        message: `${c.default_to_square}, which keeps proportions`,
      });
  })
  .transform((c): PreprocessorConfig => {
    const { image_mean: mean, image_std: std, size } = c;
    return {
      size: c.do_resize && size !== null ? { height: size.height, width: size.width } : null,
      rescaleFactor: c.do_rescale ? c.rescale_factor : null,
      normalize: c.do_normalize && mean !== null && std !== null ? { mean, std } : null,
    };
  });

/**
 * Reads parsed picture settings. `size` may be `{height, width}`, one number (a square) or
 * `[height, width]`; the only filter is bicubic (`resample` 3).
 * @param file where they stand, for messages
 * @throws Blip2Error `CONFIG_INVALID`, naming every field that is wrong
 */
export function parsePreprocessorConfig(json: unknown, file = 'preprocessor_config.json'): PreprocessorConfig {
  return parseDocument(schema, json, {
    code: 'CONFIG_INVALID',
    what: `${file} cannot be used`,
    hint: 'BLIP-2 needs BlipImageProcessor, "size": {"height": n, "width": n} and "resample": 3 (bicubic), and neither crops nor pads.',
  });
}
