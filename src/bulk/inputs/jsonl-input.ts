import { createReadStream } from 'node:fs';
import { dirname } from 'node:path';
import * as z from 'zod';
import { Blip2Error } from '../../errors.js';
import { readChunks } from '../../loader/file/read-chunks.js';
import { readLines } from '../../loader/file/read-lines.js';
import { jsonOrUndefined } from '../../loader/format/parse-json.js';
import { isBucketUrl } from '../bucket/bucket.js';
import { ObjectSource } from '../bucket/object-source.js';
import { invalidInput, type FilePicture } from './input-picture.js';
import { filePicture } from './file-picture.js';
import type { InputOptions } from './input-options.js';
import { resolveInside } from './picture-address.js';

const PATH_FIELDS = ['file_name', 'path', 'image', 'image_path', 'url'];

const row = z.record(z.string(), z.unknown());

/** One picture per line that holds a JSON object; the other fields of a row are not read. */
export async function* jsonlPictures(file: string, options: InputOptions): AsyncGenerator<FilePicture, void> {
  const { pathField, imageRoot = dirname(file) } = options;
  const fields = pathField === undefined ? PATH_FIELDS : [pathField];
  let number = 0;
  for await (const line of lines(file)) {
    number += 1;
    if (line.trim() === '') continue;
    const parsed = row.safeParse(jsonOrUndefined(line));
    if (!parsed.success)
      throw invalidInput(
        file,
        `line ${number} is no JSON object`,
        "Each line has to be one: jq -c . writes them so, and jq -c '.[]' those of an array.",
      );
    const path = fields.map((field) => parsed.data[field]).find((value) => typeof value === 'string' && value !== '');
    if (typeof path !== 'string') {
      const hint = `Name the field with --path-field; this row has ${Object.keys(parsed.data).join(', ') || 'none'}.`;
      throw invalidInput(file, `line ${number} has no text in ${fields.join(', ')}`, hint);
    }
    yield filePicture(path, resolveInside(imageRoot, path));
  }
}

async function* lines(file: string): AsyncGenerator<string, void> {
  try {
    yield* readLines(isBucketUrl(file) ? storedChunks(file) : createReadStream(file));
  } catch (cause) {
    if (cause instanceof Blip2Error) throw cause;
    throw invalidInput(file, `cannot be read (${String(cause)})`, 'Check its path and permissions.', cause);
  }
}

async function* storedChunks(url: string): AsyncGenerator<Uint8Array, void> {
  await using source = await ObjectSource.open(url);
  yield* readChunks(source, 0, source.sizeBytes);
}
