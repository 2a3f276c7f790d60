import { invalidInput, type ParquetPicture } from './input-picture.js';
import type { InputOptions } from './input-options.js';
import { openParquetFile } from './parquet-file.js';

/**
 * The rows of a Parquet file as pictures; only its footer is read.
 * @throws Blip2Error `INPUT_INVALID` for what is no Parquet file, or has no image column or more than one
 */
export async function* parquetPictures(
  file: string,
  { imageColumn }: InputOptions,
): AsyncGenerator<ParquetPicture, void> {
  await using table = await openParquetFile(file);
  const { rows, imageColumns, columns, footer } = table;
  const [column, other] = imageColumn === undefined ? imageColumns : [imageColumn];
  if (column === undefined || !columns.includes(column)) {
    const hint =
      columns.length === 0
        ? 'Pictures are bytes, paths, or a struct of bytes and path.'
        : `Name one of its columns with --image-column: ${columns.join(', ')}.`;
    throw invalidInput(
      file,
      imageColumn === undefined ? 'no column holds pictures' : `no column ${imageColumn} of bytes or paths`,
      hint,
    );
  }
  if (other !== undefined) {
    throw invalidInput(file, `the columns ${imageColumns.join(', ')} hold pictures`, 'Choose one with --image-column.');
  }
  for (let row = 0; row < rows; row++) yield { parquet: file, column, row, footer };
}
