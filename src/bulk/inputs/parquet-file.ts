/** A Parquet file whose column holds pictures: as bytes, as the hub's struct of bytes and a path, or as paths. */
import { createHash } from 'node:crypto';
import { asyncBufferFromFile, parquetMetadataAsync, parquetReadObjects, parquetSchema } from 'hyparquet';
import type { AsyncBuffer, Compressors, FileMetaData, SchemaTree } from 'hyparquet';
import { compressors as packaged } from 'hyparquet-compressors';
import * as z from 'zod';
import { Blip2Error, reasonOf } from '../../errors.js';
import { jsonOrUndefined } from '../../loader/format/parse-json.js';
import { isBucketUrl } from '../bucket/bucket.js';
import { ObjectSource } from '../bucket/object-source.js';
import { invalidInput } from './input-picture.js';

/** What a row holds. No bytes and no path are two things: a row may have either, both or none. */
export interface ParquetCell {
  readonly bytes: Uint8Array | null;
  readonly path: string | null;
}

export interface ParquetFile extends AsyncDisposable {
  readonly rows: number;
  /** Of the hash of its footer, which has the place and size of everything in it. */
  readonly footer: string;
  /** Those whose cells may be pictures or paths. */
  readonly columns: readonly string[];
  /** Those that hold pictures by what the footer says, or else by their shape. */
  readonly imageColumns: readonly string[];
  /** Rows `[begin, end)` of a column: where the file has an index of its pages, nothing else is read. */
  read(column: string, begin: number, end: number): Promise<ParquetCell[]>;
  /** Rows of which about this many bytes are in memory at once. */
  rowsWithin(bytes: number): number;
}

/** A page of nulls has no bytes, and LZ4 makes one of them, which the package takes for a damaged block. */
const compressors: Compressors = Object.fromEntries(
  Object.entries(packaged).map(([codec, decompress]) => [
    codec,
    (input: Uint8Array, length: number) => (length === 0 ? new Uint8Array() : decompress(input, length)),
  ]),
);

const instance = z.instanceof(Uint8Array);
const text = z.union([z.string(), instance.transform((bytes) => new TextDecoder().decode(bytes))]);
const cell = z.union([
  z.null().transform(() => ({ bytes: null, path: null })),
  z.string().transform((path) => ({ bytes: null, path })),
  instance.transform((bytes) => ({ bytes, path: null })),
  z.object({ bytes: instance.nullish(), path: text.nullish() }).transform((struct) => ({
    bytes: struct.bytes ?? null,
    path: struct.path ?? null,
  })),
]);

/** What `datasets` writes into the footer. */
const hubFeatures = z.object({ info: z.object({ features: z.record(z.string(), z.unknown()) }) });
const imageFeature = z.object({ _type: z.literal('Image') });

/** Behind the footer: its length, and the format's magic. */
const TAIL_BYTES = 8;

/** @throws Blip2Error `INPUT_INVALID` */
export async function openParquetFile(path: string): Promise<ParquetFile> {
  const source = isBucketUrl(path) ? await ObjectSource.open(path) : null;
  const close = async () => source?.[Symbol.asyncDispose]();
  let file: AsyncBuffer;
  let metadata: FileMetaData;
  let footer: string;
  try {
    file = source === null ? await asyncBufferFromFile(path) : storedFile(source);
    metadata = await parquetMetadataAsync(file);
    const end = file.byteLength - TAIL_BYTES;
    const bytes = await file.slice(end - metadata.metadata_length, end);
    footer = createHash('sha256').update(new Uint8Array(bytes)).digest('hex').slice(0, 12);
  } catch (cause) {
    await close();
    if (cause instanceof Blip2Error) throw cause;
    const reason = reasonOf(cause);
    throw invalidInput(path, `cannot be read as a Parquet file: ${reason}`, 'Fetch or make it again.', cause);
  }
  const { children } = parquetSchema(metadata);
  const totalBytes = metadata.row_groups.reduce((sum, { total_byte_size }) => sum + Number(total_byte_size), 0);
  const rows = Number(metadata.num_rows);
  return {
    rows,
    footer,
    columns: children.filter(mayHoldPictures).map(nameOf),
    imageColumns: imageColumns(metadata, children),
    rowsWithin: (bytes) => Math.max(1, Math.min(256, Math.floor((bytes * rows) / Math.max(1, totalBytes)))),
    read: async (column, rowStart, rowEnd) => {
      // Without an index of pages, reading a row reads its whole group; `utf8` would damage bytes.
      const options = { useOffsetIndex: true, utf8: false, columns: [column], rowStart, rowEnd };
      try {
        const found = await parquetReadObjects({ file, metadata, compressors, ...options });
        // Of a file that was cut since it was opened, rows come without values.
        if (found.some((row) => !(column in row))) throw new Error('the file has become another');
        return found.map((row) => cell.parse(row[column] ?? null));
      } catch (cause) {
        if (cause instanceof Blip2Error) throw cause;
        const message = `rows ${rowStart} to ${rowEnd - 1} of ${path} cannot be read: ${reasonOf(cause)}`;
        throw new Blip2Error('IMAGE_UNREADABLE', message, { cause });
      }
    },
    [Symbol.asyncDispose]: close,
  };
}

/** Only the ranges that are asked for are read. */
const storedFile = (source: ObjectSource): AsyncBuffer => ({
  byteLength: source.sizeBytes,
  slice: async (begin, end = source.sizeBytes) => Uint8Array.from(await source.read(begin, end)).buffer,
});

function imageColumns(metadata: FileMetaData, columns: readonly SchemaTree[]): string[] {
  const stated = new Set(statedImages(metadata));
  const names = columns.map(({ element }) => element.name);
  return stated.size > 0 ? names.filter((name) => stated.has(name)) : columns.filter(isHubImage).map(nameOf);
}

const nameOf = ({ element }: SchemaTree): string => element.name;

function statedImages({ key_value_metadata: notes = [] }: FileMetaData): string[] {
  const note = notes.find(({ key }) => key === 'huggingface')?.value;
  if (note === undefined) return [];
  const parsed = hubFeatures.safeParse(jsonOrUndefined(note));
  if (!parsed.success) return [];
  return Object.entries(parsed.data.info.features).flatMap(([name, feature]) =>
    imageFeature.safeParse(feature).success ? [name] : [],
  );
}

/** Other writers than `datasets` leave the struct and no note about it. */
function isHubImage({ children }: SchemaTree): boolean {
  const leaves = children.filter(({ element }) => element.type === 'BYTE_ARRAY').map(nameOf);
  return children.length === 2 && leaves.includes('bytes') && leaves.includes('path');
}

/** Bytes or text, or a struct that has some. */
function mayHoldPictures({ children, element }: SchemaTree): boolean {
  if (element.repetition_type === 'REPEATED') return false;
  if (children.length === 0) return element.type === 'BYTE_ARRAY';
  return children.some((child) => /^(bytes|path)$/.test(nameOf(child)) && mayHoldPictures(child));
}
