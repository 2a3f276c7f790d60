import type { InputPicture } from '../../src/bulk/inputs/input-picture.js';
import type { ShardOutput } from '../../src/bulk/run/shard-output.js';
import type { FetchOptions } from '../../src/runtime/image/fetch-picture.js';
import type { RunFolder } from '../../src/bulk/run/run-folder.js';
import type { BulkRequest } from './bulk-flags.js';

/** By these webdataset and `datasets` know a picture; under any other name they hand out its bytes, undecoded. */
const DECODED = new Set(['jpg', 'png', 'webp', 'gif', 'tif', 'tiff']);

/** What the names of a run's pictures say: the extensions of those that are files or members of archives. */
export class PictureNames {
  readonly #extensions = new Set<string>();

  add(picture: InputPicture): void {
    const name = 'parquet' in picture ? '' : picture.name;
    this.#extensions.add(
      /\.([a-z0-9]+)$/i
        .exec(name)?.[1]
        ?.toLowerCase()
        .replace(/^jpeg$/, 'jpg') ?? '',
    );
  }

  /** The one that all have and loaders know, or jpg. */
  get extension(): string {
    const [first = '', ...others] = this.#extensions;
    return DECODED.has(first) && others.length === 0 ? first : 'jpg';
  }

  async *noting(pictures: AsyncIterable<InputPicture>): AsyncGenerator<InputPicture, void> {
    for await (const picture of pictures) {
      this.add(picture);
      yield picture;
    }
  }
}

/** @param names all of the run's by the time that the first shard is written */
export async function runOutput(
  folder: RunFolder,
  request: BulkRequest,
  names: PictureNames,
  fetching?: FetchOptions,
): Promise<ShardOutput> {
  const pictures = { imageRoot: request.imageRoot, fetching };
  switch (request.format) {
    case 'jsonl':
      return new (await import('../../src/bulk/outputs/jsonl-output.js')).JsonlOutput(folder);
    case 'txt':
      return new (await import('../../src/bulk/outputs/sidecar-output.js')).SidecarOutput(folder, request);
    case 'metadata': {
      const { MetadataOutput } = await import('../../src/bulk/outputs/metadata-output.js');
      return new MetadataOutput(folder, request.existing === 'overwrite');
    }
    case 'webdataset': {
      const { WebdatasetOutput } = await import('../../src/bulk/outputs/webdataset-output.js');
      return new WebdatasetOutput(folder, () => names.extension, pictures);
    }
    case 'parquet':
      return new (await import('../../src/bulk/outputs/parquet-output.js')).ParquetOutput(folder, pictures);
  }
}
