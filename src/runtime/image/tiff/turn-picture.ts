import type { RgbPicture } from '../rgb-picture.js';

/** Mirrored left to right, rows and columns exchanged before that: what each EXIF orientation asks for. */
const TURNS: Readonly<Record<number, { flipX: boolean; flipY: boolean; transpose: boolean }>> = {
  2: { flipX: true, flipY: false, transpose: false },
  3: { flipX: true, flipY: true, transpose: false },
  4: { flipX: false, flipY: true, transpose: false },
  5: { flipX: false, flipY: false, transpose: true },
  6: { flipX: false, flipY: true, transpose: true },
  7: { flipX: true, flipY: true, transpose: true },
  8: { flipX: true, flipY: false, transpose: true },
};

/** The picture as its EXIF orientation (1 to 8) says it is to be seen; any other number asks for nothing. */
export function turnPicture(picture: RgbPicture, orientation: number): RgbPicture {
  const turn = TURNS[orientation];
  if (turn === undefined) return picture;
  const { data, width, height } = picture;
  const [outWidth, outHeight] = turn.transpose ? [height, width] : [width, height];
  const turned = new Uint8Array(data.length);
  for (let row = 0, to = 0; row < outHeight; row++) {
    for (let column = 0; column < outWidth; column++, to += 3) {
      const [a, b] = turn.transpose ? [row, column] : [column, row];
      const x = turn.flipX ? width - 1 - a : a;
      const y = turn.flipY ? height - 1 - b : b;
      const from = (y * width + x) * 3;
      turned[to] = data[from] ?? 0;
      turned[to + 1] = data[from + 1] ?? 0;
      turned[to + 2] = data[from + 2] ?? 0;
    }
  }
  return { data: turned, width: outWidth, height: outHeight };
}
