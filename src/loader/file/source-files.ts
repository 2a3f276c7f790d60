import { FileSource } from './file-source.js';

/** The files that tensors come from, each opened once, when it is first needed. */
export class SourceFiles implements AsyncDisposable {
  readonly #open = new Map<string, Promise<FileSource>>();

  get(path: string): Promise<FileSource> {
    const known = this.#open.get(path);
    if (known !== undefined) return known;
    const opening = FileSource.open(path);
    this.#open.set(path, opening);
    return opening;
  }

  async close(): Promise<void> {
    for (const result of await Promise.allSettled(this.#open.values())) {
      if (result.status === 'fulfilled') await result.value.close();
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}
