import { expect, it } from 'vitest';
import { PictureNames } from './run-output.js';

// webdataset 1.0.2 and datasets 5.2.0 give the bytes of members of other names, and pictures of these.
it.each([
  ['png', ['a.png', 'b.PNG']],
  ['jpg', ['a.jpeg', 'b.jpg', 'c.JPEG']],
  ['webp', ['a.webp']],
  ['jpg', ['a.avif', 'b.avif']],
  ['jpg', ['a.pjpeg']],
  ['jpg', ['a.mpo']],
  ['jpg', ['a.png', 'b.webp']],
  ['jpg', ['no extension']],
])('members are called .%s of pictures that are called %j', (extension, names) => {
  const pictures = new PictureNames();
  for (const name of names) pictures.add({ name, beneath: name });
  expect(pictures.extension).toBe(extension);
});
