/**
 * Beyond this many pixels Pillow warns of a decompression bomb (`MAX_IMAGE_PIXELS`); here such a picture is refused before it
 * is decoded, because its RGB alone takes 268 MB.
 */
export const MAX_PIXELS = 89_478_485;

/** A picture that is whole, as far as is known, and is not decoded all the same. The message goes on from its name. */
export class PictureRefusal extends Error {
  readonly code: 'IMAGE_UNSUPPORTED' | 'IMAGE_TOO_LARGE';
  readonly hint: string;

  private constructor(code: PictureRefusal['code'], message: string, hint: string) {
    super(message);
    this.name = 'PictureRefusal';
    this.code = code;
    this.hint = hint;
  }

  /** @param kind such as "a TIFF of CIELAB colours": what Pillow reads, or refuses, and libvips reads otherwise */
  static unsupported(kind: string): PictureRefusal {
    return new PictureRefusal(
      'IMAGE_UNSUPPORTED',
      `is ${kind}, which is not read`,
      'JPEG, PNG, WebP, GIF, TIFF, AVIF, BMP and PNM are read where the pixels are exactly those that Pillow gives: convert it to PNG.',
    );
  }

  static tooLarge(maxPixels: number, size?: { readonly width: number; readonly height: number }): PictureRefusal {
    const pixels =
      size === undefined
        ? 'more than'
        : `${size.width} x ${size.height} = ${size.width * size.height} pixels, more than`;
    return new PictureRefusal(
      'IMAGE_TOO_LARGE',
      `has ${pixels} ${maxPixels} pixels`,
      'Shrink it first: a model reads a few hundred pixels a side.',
    );
  }
}

/** @throws PictureRefusal for a picture of more pixels */
export function checkPixels(width: number, height: number, maxPixels: number): void {
  if (width * height > maxPixels) throw PictureRefusal.tooLarge(maxPixels, { width, height });
}
