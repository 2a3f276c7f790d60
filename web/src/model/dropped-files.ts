/** Chromium's, which reads folders for a page from `file:` as well; what all browsers have does not there. */
declare global {
  interface DataTransferItem {
    getAsFileSystemHandle?: () => Promise<FileSystemHandle | null>;
  }
  interface FileSystemDirectoryHandle {
    values(): AsyncIterable<FileSystemFileHandle | FileSystemDirectoryHandle>;
  }
}

/** What was dropped, folders as the files in them: most people drag the folder of a model. */
export async function droppedFiles(transfer: DataTransfer): Promise<File[]> {
  // All is asked for before anything is awaited: nothing is left of a drop afterwards.
  const files = [...transfer.files];
  const folders = [...transfer.items].map((item) => {
    const entry = item.webkitGetAsEntry();
    if (entry === null || !isFolder(entry)) return null;
    return item.getAsFileSystemHandle?.() ?? entry;
  });
  const nested = await Promise.all(
    folders.map(async (asked, i) => {
      const folder = await asked;
      if (folder !== null && 'createReader' in folder) return filesIn(folder);
      if (folder !== null && isHandleOfFolder(folder)) return filesOf(folder);
      const file = files[i];
      return file === undefined ? [] : [file];
    }),
  );
  return nested.flat();
}

function isFolder(entry: FileSystemEntry): entry is FileSystemDirectoryEntry {
  return entry.isDirectory;
}

function isHandleOfFolder(handle: FileSystemHandle): handle is FileSystemDirectoryHandle {
  return handle.kind === 'directory';
}

function isFile(entry: FileSystemEntry): entry is FileSystemFileEntry {
  return entry.isFile;
}

/** Of the folder itself: a checkpoint has none below. */
async function filesOf(folder: FileSystemDirectoryHandle): Promise<File[]> {
  const files: File[] = [];
  for await (const handle of folder.values()) if (handle.kind === 'file') files.push(await handle.getFile());
  return files;
}

async function filesIn(folder: FileSystemDirectoryEntry): Promise<File[]> {
  const reader = folder.createReader();
  const files: File[] = [];
  for (;;) {
    // Some at a time, until there are none.
    const entries = await new Promise<FileSystemEntry[]>((resolve, reject) => {
      reader.readEntries(resolve, reject);
    });
    if (entries.length === 0) return files;
    for (const entry of entries) if (isFile(entry)) files.push(await fileOf(entry));
  }
}

function fileOf(entry: FileSystemFileEntry): Promise<File> {
  return new Promise((resolve, reject) => {
    entry.file(resolve, reject);
  });
}
