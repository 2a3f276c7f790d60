import { posix } from 'node:path';
import type { FileHandle } from 'node:fs/promises';
import { ByteWriter, ParquetWriter, type ColumnSource, type SchemaElement } from 'hyparquet-writer';
import { replaceFile } from '../../loader/write/replace-file.js';
import type { CaptionRecord } from '../caption-record.js';
import type { ParquetPicture } from '../inputs/input-picture.js';
import type { RunFolder } from '../run/run-folder.js';
import type { PictureSettings } from '../inputs/picture-reader.js';
import { pictureRows, type PictureRow } from './picture-rows.js';
import type { FinishedShard, ShardOutput } from '../run/shard-output.js';

/** Row groups are cut by this, because a reader without an index of pages reads whole groups. */
const GROUP_BYTES = 32 * 1024 * 1024;

interface Column {
  readonly name: string;
  /** The elements of the schema below the root, the column's own first. */
  readonly elements: readonly SchemaElement[];
  readonly value: (row: PictureRow) => unknown;
  /** As `datasets` names its type. */
  readonly feature: unknown;
}

/**
 * Schema, values and note about features are made from this one list: the writer takes columns in the order of the data, and
 * readers by position take them in the order of the schema.
 */
const COLUMNS: readonly Column[] = [
  {
    name: 'image',
    elements: [
      { name: 'image', num_children: 2, repetition_type: 'OPTIONAL' },
      { name: 'bytes', type: 'BYTE_ARRAY', repetition_type: 'OPTIONAL' },
      { name: 'path', type: 'BYTE_ARRAY', converted_type: 'UTF8', repetition_type: 'OPTIONAL' },
    ],
    value: ({ bytes, record }) => (bytes === null ? null : { bytes, path: baseName(record.file_name) }),
    feature: { _type: 'Image' },
  },
  textColumn('file_name', ({ record }) => record.file_name || null),
  textColumn('archive', ({ record }) => record.archive ?? null),
  {
    name: 'row',
    elements: [{ name: 'row', type: 'INT64', repetition_type: 'OPTIONAL' }],
    value: ({ record }) => (record.row === undefined ? null : BigInt(record.row)),
    feature: { dtype: 'int64', _type: 'Value' },
  },
  textColumn('text', ({ record }) => record.text),
  {
    name: 'answers',
    elements: [
      { name: 'answers', num_children: 1, repetition_type: 'OPTIONAL', converted_type: 'LIST' },
      { name: 'list', num_children: 1, repetition_type: 'REPEATED' },
      { name: 'element', type: 'BYTE_ARRAY', converted_type: 'UTF8', repetition_type: 'OPTIONAL' },
    ],
    value: ({ record }) => record.answers?.map(({ text }) => text) ?? null,
    feature: { feature: { dtype: 'string', _type: 'Value' }, _type: 'List' },
  },
  textColumn('error', ({ record }) => record.error || null),
];

const SCHEMA: SchemaElement[] = [
  { name: 'root', num_children: COLUMNS.length },
  ...COLUMNS.flatMap(({ elements }) => elements),
];

const FEATURES = { info: { features: Object.fromEntries(COLUMNS.map(({ name, feature }) => [name, feature])) } };

/** A Parquet file per shard as the hub keeps data sets: pictures inside, a row for each of them, failed ones without. */
export class ParquetOutput implements ShardOutput {
  readonly holdsPictures = true;
  readonly #folder: RunFolder;
  readonly #settings: PictureSettings;

  constructor(folder: RunFolder, settings: PictureSettings = {}) {
    this.#folder = folder;
    this.#settings = settings;
  }

  async write(shard: FinishedShard): Promise<CaptionRecord[]> {
    const records: CaptionRecord[] = [];
    await replaceFile(this.#folder.outputFile(shard.shard, 'parquet'), async (handle) => {
      const bytes = new HandleWriter(handle);
      const kvMetadata = [{ key: 'huggingface', value: JSON.stringify(FEATURES) }];
      const writer = new ParquetWriter({ writer: bytes, schema: SCHEMA, kvMetadata });
      let group: PictureRow[] = [];
      let groupBytes = 0;
      for await (const row of pictureRows(shard, this.#settings, await this.#earlier(shard))) {
        records.push(row.record);
        group.push(row);
        groupBytes += row.bytes?.length ?? 0;
        if (groupBytes < GROUP_BYTES) continue;
        await writer.write({ columnData: columnData(group), rowGroupSize: group.length });
        [group, groupBytes] = [[], 0];
      }
      if (group.length > 0) await writer.write({ columnData: columnData(group), rowGroupSize: group.length });
      await writer.finish();
      await bytes.flush();
    });
    return records;
  }

  async #earlier({ shard, kept }: FinishedShard): Promise<Map<number, ParquetPicture>> {
    const parquet = kept.size === 0 ? null : await this.#folder.writtenFile(shard, 'parquet');
    if (parquet === null) return new Map();
    return new Map([...kept].map((row) => [row, { parquet, column: 'image', row }]));
  }
}

function columnData(rows: readonly PictureRow[]): ColumnSource[] {
  return COLUMNS.map(({ name, value }) => ({
    name,
    data: rows.map(value),
    // Compressed already; a dictionary and bounds of them help nobody.
    ...(name === 'image' ? { codec: 'UNCOMPRESSED', encoding: 'PLAIN', statistics: false } : {}),
  }));
}

/** Writes each row group to the file once it is whole, and the footer when it is asked to. */
class HandleWriter extends ByteWriter {
  readonly #handle: FileHandle;

  constructor(handle: FileHandle) {
    super();
    this.#handle = handle;
  }

  async flush(): Promise<void> {
    await this.#handle.appendFile(new Uint8Array(this.buffer, 0, this.index));
    this.index = 0;
  }
}

function textColumn(name: string, value: (row: PictureRow) => string | null): Column {
  const element = { name, type: 'BYTE_ARRAY', converted_type: 'UTF8', repetition_type: 'OPTIONAL' } as const;
  return { name, elements: [element], value, feature: { dtype: 'string', _type: 'Value' } };
}

const baseName = (path: string): string | null => posix.basename(path) || null;
