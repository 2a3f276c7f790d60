import { dirname } from 'node:path';
import { Blip2Error } from '../../errors.js';
import type { FetchOptions } from '../../runtime/image/fetch-picture.js';
import { localPicture } from '../../runtime/image/picture-source.js';
import { readPicture } from '../../runtime/image/read-picture.js';
import { isBucketUrl } from '../bucket/bucket.js';
import { BucketReader } from './bucket-reader.js';
import { pictureName, type InputPicture, type ParquetPicture, type TarPicture } from './input-picture.js';
import { markOf } from './member-mark.js';
import { openTarFile } from './open-tar-file.js';
import { openParquetFile, type ParquetCell, type ParquetFile } from './parquet-file.js';
import { resolveInside } from './picture-address.js';
import type { TarFile } from './tar-file.js';

/** What is read of a Parquet file at once. */
const WINDOW_BYTES = 8 * 1024 * 1024;

export interface FoundPicture {
  /** The path or URL of a file, the address of an object, or the bytes of one. */
  readonly source: string | Uint8Array;
  /** The path that a row of a Parquet file gives. */
  readonly path: string | null;
}

/** How pictures are found that are not in hand. */
export interface PictureSettings {
  /** Folder of relative paths inside Parquet files. Default: the file's own folder. */
  readonly imageRoot?: string | undefined;
  readonly fetching?: FetchOptions | undefined;
}

/** Whether a picture has to be fetched. */
export const isElsewhere = ({ source }: FoundPicture): boolean =>
  typeof source === 'string' && (/^https?:/i.test(source) || isBucketUrl(source));

/** Rows of a Parquet file that were read together. */
interface RowWindow {
  readonly path: string;
  readonly column: string;
  readonly file: ParquetFile;
  readonly begin: number;
  readonly cells: readonly ParquetCell[];
}

/** Finds pictures one after the other, and is quickest in their order: one archive and a few rows of a table stay open. */
export class PictureReader implements AsyncDisposable {
  readonly #imageRoot: string | undefined;
  readonly #fetching: FetchOptions;
  readonly #objects = new BucketReader();
  #tar: { readonly path: string; readonly file: TarFile } | undefined;
  #rows: RowWindow | undefined;

  /** @param imageRoot folder of the relative paths inside Parquet files */
  constructor(imageRoot?: string, fetching: FetchOptions = {}) {
    this.#imageRoot = imageRoot;
    this.#fetching = fetching;
  }

  /** Begins to read what is far away. @param next the pictures that will be wanted, in their order */
  prepare(next: readonly InputPicture[]): void {
    const urls = next.flatMap((picture) => ('beneath' in picture ? (picture.path ?? picture.name) : []));
    this.#objects.prepare(urls.filter(isBucketUrl));
  }

  /** @throws Blip2Error `IMAGE_NOT_FOUND`, `IMAGE_UNREADABLE` for what its container does not hold whole */
  async find(picture: InputPicture): Promise<FoundPicture> {
    if ('tar' in picture) return { source: await this.#tarBytes(picture), path: null };
    if (!('parquet' in picture)) return { source: picture.path ?? picture.name, path: null };
    const { bytes, path } = await this.#cell(picture);
    if (bytes !== null) return { source: bytes, path };
    if (path !== null) return { source: resolveInside(this.#imageRoot ?? dirname(picture.parquet), path), path };
    throw new Blip2Error('IMAGE_NOT_FOUND', `${pictureName(picture)} has no picture`);
  }

  /**
   * What was found as a captioner takes it: the bytes of what lies in a bucket.
   * @throws Blip2Error `IMAGE_NOT_FOUND`, `IMAGE_TOO_LARGE`; `BUCKET_FAILED`
   */
  async load({ source }: FoundPicture): Promise<string | Uint8Array> {
    return typeof source === 'string' && isBucketUrl(source) ? this.#objects.read(source) : source;
  }

  /** The bytes of a picture's file, fetched where it is a URL. */
  async bytes(picture: InputPicture, signal?: AbortSignal): Promise<{ bytes: Uint8Array; path: string | null }> {
    const found = await this.find(picture);
    return { bytes: await this.fileBytes(found, signal), path: found.path };
  }

  /** The same of a picture that was found. */
  async fileBytes(found: FoundPicture, signal?: AbortSignal): Promise<Uint8Array> {
    const source = await this.load(found);
    const local = typeof source === 'string' ? await localPicture(source, { ...this.#fetching, signal }) : source;
    if (local instanceof Uint8Array) return local;
    if (typeof local !== 'string') throw new TypeError('pixels are no file');
    return readPicture(local);
  }

  async #tarBytes({ tar: path, offset, size, name, mark }: TarPicture): Promise<Uint8Array> {
    if (this.#tar?.path !== path) {
      await this.#tar?.file[Symbol.asyncDispose]();
      this.#tar = undefined;
      this.#tar = { path, file: await openTarFile(path) };
    }
    const bytes = await this.#tar.file.read(offset, size);
    if (bytes.length < size) throw new Blip2Error('IMAGE_UNREADABLE', `${path} ends inside the member ${name}`);
    if (mark === undefined || mark === markOf(bytes)) return bytes;
    throw new Blip2Error('IMAGE_UNREADABLE', `${path} is not the archive whose member ${name} was listed`);
  }

  async #cell({ parquet, column, row, footer }: ParquetPicture): Promise<ParquetCell> {
    const known = this.#rows?.path === parquet && this.#rows.column === column ? this.#rows : null;
    const found = known?.cells[row - known.begin];
    if (found !== undefined) return found;
    if (this.#rows?.path !== parquet) await this.#closeTable();
    const file = this.#rows?.file ?? (await openParquetFile(parquet));
    this.#rows = { path: parquet, column, file, begin: row, cells: [] };
    if (footer !== undefined && footer !== file.footer) {
      throw new Blip2Error('IMAGE_UNREADABLE', `${parquet} is not the file whose rows were listed`);
    }
    const end = Math.min(file.rows, row + file.rowsWithin(WINDOW_BYTES));
    // Where a page is damaged, it takes no other row with it.
    const cells = await file.read(column, row, end).catch(() => file.read(column, row, row + 1));
    this.#rows = { path: parquet, column, file, begin: row, cells };
    const [cell] = cells;
    if (cell !== undefined) return cell;
    throw new Blip2Error('IMAGE_NOT_FOUND', `${parquet} has no row ${row}`);
  }

  async #closeTable(): Promise<void> {
    await this.#rows?.file[Symbol.asyncDispose]();
    this.#rows = undefined;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#tar?.file[Symbol.asyncDispose]();
    this.#tar = undefined;
    await this.#closeTable();
    await this.#objects.close();
  }
}
