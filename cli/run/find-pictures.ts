import { isUtf8 } from 'node:buffer';
import type { Dirent } from 'node:fs';
import { open, readdir, stat } from 'node:fs/promises';
import { extname, join } from 'node:path';
import { fileUrl } from '../../src/runtime/image/file-url.js';
import { hasPictureName } from '../../src/bulk/inputs/picture-name.js';
import { FORMAT_BYTES, pictureFormat } from '../../src/runtime/image/picture-format.js';

/** Kinds of what is skipped that are named; more are counted together. */
const NAMED_KINDS = 5;

export interface FoundPictures {
  /** In the order of their names; as a `file:` URL where a name is not UTF-8. */
  readonly pictures: readonly string[];
  /** What was skipped, counted: "2 .txt, 1 hidden". Empty where nothing was. */
  readonly skipped: string;
}

/**
 * Looks for pictures in a folder, and in its sub-folders. A file counts by its name; one whose name has no extension by its
 * first bytes. Hidden files and folders are skipped, and so are links to folders, which could lead round in a circle.
 * @throws the signal's reason when aborted
 */
export async function findPictures(
  folder: string | Buffer,
  recursive: boolean,
  signal?: AbortSignal,
): Promise<FoundPictures> {
  const found: Buffer[] = [];
  const skipped = new Map<string, number>();
  const skip = (kind: string): void => void skipped.set(kind, (skipped.get(kind) ?? 0) + 1);
  const base = typeof folder === 'string' ? Buffer.from(folder) : folder;
  const pending: Buffer[] = [Buffer.alloc(0)];
  for (let inside = pending.pop(); inside !== undefined; inside = pending.pop()) {
    signal?.throwIfAborted();
    for (const entry of await entriesOf(within(base, inside), () => skip('unreadable folder'))) {
      const path = within(inside, entry.name);
      const kind = await kindOf(entry, within(base, path), recursive);
      if (kind === 'picture') found.push(path);
      else if (kind === 'folder') pending.push(path);
      else skip(kind);
    }
  }
  const pictures = found
    .map((path) => ({ path, name: path.toString() }))
    .toSorted((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : Buffer.compare(a.path, b.path)))
    .map(({ path, name }) =>
      typeof folder === 'string' && isUtf8(path) ? join(folder, name) : fileUrl(within(base, path)),
    );
  return { pictures, skipped: counted(skipped) };
}

const within = (folder: Buffer, name: Buffer): Buffer =>
  folder.length === 0 ? name : Buffer.concat([folder, Buffer.from('/'), name]);

async function entriesOf(folder: Buffer, onUnreadable: () => void): Promise<Dirent<Buffer>[]> {
  try {
    return await readdir(folder, { withFileTypes: true, encoding: 'buffer' });
  } catch {
    onUnreadable();
    return [];
  }
}

/** `picture`, `folder` for one to look into, or what is skipped, as a single one is called. */
async function kindOf(entry: Dirent<Buffer>, path: Buffer, recursive: boolean): Promise<string> {
  const name = entry.name.toString();
  if (name.startsWith('.')) return 'hidden';
  if (entry.isDirectory()) return recursive ? 'folder' : 'folder inside';
  if (entry.isSymbolicLink()) {
    // A link that leads nowhere is reported as a picture that is not there, not passed over.
    const target = await stat(path).catch(() => null);
    if (target?.isDirectory() === true) return 'link to a folder';
    if (target !== null && !target.isFile()) return 'FIFO or device';
  } else if (!entry.isFile()) return 'FIFO or device';
  const extension = extname(name).toLowerCase();
  if (hasPictureName(name)) return 'picture';
  if (extension !== '') return extension;
  return (await beginsAsPicture(path)) ? 'picture' : 'other file';
}

/** Whether there is a file whose first bytes are a picture's. */
export async function beginsAsPicture(path: Buffer | string): Promise<boolean> {
  const file = await open(path).catch(() => null);
  if (file === null) return false;
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(FORMAT_BYTES), 0, FORMAT_BYTES, 0);
    return pictureFormat(buffer.subarray(0, bytesRead)) !== undefined;
  } finally {
    await file.close();
  }
}

function counted(skipped: ReadonlyMap<string, number>): string {
  const kinds = [...skipped].toSorted(([a, most], [b, least]) => least - most || (a < b ? -1 : 1));
  const named = kinds.slice(0, NAMED_KINDS).map(([kind, count]) => `${count} ${kind}`);
  const others = kinds.slice(NAMED_KINDS).reduce((sum, [, count]) => sum + count, 0);
  return [...named, ...(others > 0 ? [`${others} more`] : [])].join(', ');
}
