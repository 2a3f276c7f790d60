/** Weights as views: the pages of exactly the tensors that are asked for, and of no other. */
import type { Checkpoint } from '../checkpoint/checkpoint.js';
import type { StoredTensor } from '../format/stored-tensor.js';
import { openUnchanged } from '../checkpoint/unchanged-files.js';
import { FileSource } from '../file/file-source.js';
import { quote } from '../format/quote.js';
import { SafetensorsError } from '../format/safetensors-error.js';
import { mapWindows, type FileWindow } from './map-windows.js';
import { MappedTensors, type LoadedTensor, type LoadedWindow } from './mapped-tensors.js';
import { networkFileSystem } from './network-file-system.js';
import { loadMemoryMapper } from './load-memory-mapper.js';
import { MappingRefused, type MemoryMapper } from './memory-mapper.js';

/** How weights come into the process. */
export interface MapOptions {
  /**
   * `auto` maps, and reads a file that the system does not map or that is on a network file system; `mmap` always maps,
   * and throws where it cannot; `read` copies every tensor into memory of the process.
   */
  readonly backend?: 'auto' | 'mmap' | 'read';
}

/**
 * V8 of Node 20 aborts the process for a foreign buffer above 4 GiB. Later versions have no limit, and neither would be
 * reached by a window: cutting there too keeps one code path.
 */
const MAX_WINDOW_BYTES = 2 ** 32;
const UNLIMITED_VIEWS = Number(process.versions.node.split('.')[0]) >= 22;

/**
 * Zero-copy views of the named tensors over read-only mappings of their files.
 *
 * A view shows the file as it is, not as it was: what another program writes into it is seen, and where the file is
 * truncated the process ends with SIGBUS (on Linux and macOS; Windows refuses to truncate a mapped file) as soon as bytes
 * beyond its new end are read. No error can be thrown instead, and nothing can be asked before. Replace a file by renaming
 * another over it, which leaves views as they are; `backend: 'read'` gives bytes that no file can change.
 * @throws SafetensorsError `TENSOR_NOT_FOUND` (naming all), `FILE_CHANGED`, `IO_ERROR`, `TENSOR_TOO_LARGE` (above 4 GiB on
 *   Node 20).
 */
export async function mapTensors(
  checkpoint: Checkpoint,
  names: Iterable<string>,
  { backend = 'auto' }: MapOptions = {},
): Promise<MappedTensors> {
  const byFile = groupByFile(checkpoint, names);
  const mapper = backend === 'read' ? null : await loadMemoryMapper();
  const tensors = new Map<string, LoadedTensor>();
  const windows: LoadedWindow[] = [];
  const notMapped = new Map<string, string>();
  try {
    for (const [file, wanted] of byFile) {
      await using source = await openMapped(checkpoint, file);
      const { loaded, reason } = await loadWindows(source, wanted, mapper, backend);
      windows.push(...loaded.values());
      if (reason !== null) notMapped.set(file, reason);
      for (const [{ names: inWindow }, window] of loaded) {
        for (const name of inWindow) tensors.set(name, { tensor: tensorOf(wanted, name), window });
      }
      for (const [name, tensor] of wanted) {
        if (tensor.end === tensor.begin) tensors.set(name, { tensor, window: null });
      }
    }
  } catch (error) {
    for (const { mapping } of windows) mapping?.unmap();
    throw error;
  }
  return new MappedTensors(tensors, windows, notMapped);
}

function groupByFile(checkpoint: Checkpoint, names: Iterable<string>): Map<string, Map<string, StoredTensor>> {
  const byFile = new Map<string, Map<string, StoredTensor>>();
  const unknown: string[] = [];
  for (const name of names) {
    const tensor = checkpoint.tensors.get(name);
    if (tensor === undefined) {
      unknown.push(name);
      continue;
    }
    const group = byFile.get(tensor.file) ?? new Map<string, StoredTensor>();
    byFile.set(tensor.file, group.set(name, tensor));
  }
  const [first] = unknown;
  if (first === undefined) return byFile;
  const more = unknown.length > 1 ? ` and ${unknown.length - 1} more` : '';
  throw new SafetensorsError('TENSOR_NOT_FOUND', checkpoint.folder, `has no tensor ${quote(first)}${more}`, {
    tensor: first,
    details: { unknown },
  });
}

function tensorOf(group: ReadonlyMap<string, StoredTensor>, name: string): StoredTensor {
  const tensor = group.get(name);
  if (tensor === undefined) throw new RangeError(name);
  return tensor;
}

/** A mapping beyond the end of a file ends the process with SIGBUS at the first touch. */
function openMapped({ files }: Checkpoint, path: string): Promise<FileSource> {
  const file = files.find((each) => each.path === path);
  return file === undefined ? FileSource.open(path) : openUnchanged(file);
}

/** The windows of one file, and why it was read where it was not mapped. */
interface LoadedFile {
  readonly loaded: ReadonlyMap<FileWindow, LoadedWindow>;
  readonly reason: string | null;
}

async function loadWindows(
  source: FileSource,
  wanted: ReadonlyMap<string, StoredTensor>,
  mapper: MemoryMapper | null,
  backend: 'auto' | 'mmap' | 'read',
): Promise<LoadedFile> {
  const planned = planWindows(source.path, wanted, mapper?.pageBytes ?? 1);
  const network = backend === 'auto' ? await networkFileSystem(source.path) : undefined;
  let reason = backend === 'read' ? 'reading was asked for' : 'no memory mapping on this system';
  if (network !== undefined) reason = `it is on a network file system (${network})`;
  else if (mapper !== null) {
    try {
      return { loaded: mapAll(mapper, source, planned), reason: null };
    } catch (error) {
      if (!(error instanceof MappingRefused)) throw error;
      reason = error.message;
    }
  }
  if (backend === 'mmap') throw new SafetensorsError('IO_ERROR', source.path, `cannot be mapped: ${reason}`);
  return { loaded: await readAll(source, planned), reason };
}

function planWindows(file: string, wanted: ReadonlyMap<string, StoredTensor>, pageBytes: number): FileWindow[] {
  const planned = mapWindows(wanted, { pageBytes, maxWindowBytes: MAX_WINDOW_BYTES });
  for (const { begin, end, names } of planned) {
    if (UNLIMITED_VIEWS || end - begin <= MAX_WINDOW_BYTES) continue;
    const [name = ''] = names;
    throw new SafetensorsError(
      'TENSOR_TOO_LARGE',
      file,
      `${quote(name)} needs a view of ${end - begin} bytes; Node ${process.versions.node} has none above 4 GiB`,
      {
        tensor: name,
        hint: 'Use Node 22 or later.',
      },
    );
  }
  return planned;
}

function mapAll(
  mapper: MemoryMapper,
  source: FileSource,
  planned: readonly FileWindow[],
): Map<FileWindow, LoadedWindow> {
  const loaded = new Map<FileWindow, LoadedWindow>();
  try {
    for (const window of planned) {
      const mapping = mapper.map(source, window.begin, window.end);
      loaded.set(window, { buffer: mapping.buffer, begin: window.begin, mapping });
    }
    return loaded;
  } catch (error) {
    for (const { mapping } of loaded.values()) mapping?.unmap();
    throw error;
  }
}

async function readAll(source: FileSource, planned: readonly FileWindow[]): Promise<Map<FileWindow, LoadedWindow>> {
  const loaded = new Map<FileWindow, LoadedWindow>();
  for (const window of planned) {
    const buffer = new ArrayBuffer(window.end - window.begin);
    await source.readInto(new Uint8Array(buffer), window.begin);
    loaded.set(window, { buffer, begin: window.begin, mapping: null });
  }
  return loaded;
}
