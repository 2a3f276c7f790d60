import type { CaptionRecord } from '../caption-record.js';
import type { InputList } from '../run/input-list.js';
import type { RunFolder } from '../run/run-folder.js';

const text = { dtype: 'string' };
const tokens = { list: 'int64' };

/** The columns of records, as `datasets` names their types. */
export const RECORD_FEATURES = [
  { name: 'file_name', ...text },
  { name: 'archive', ...text },
  { name: 'row', dtype: 'int64' },
  { name: 'text', ...text },
  { name: 'tokens', ...tokens },
  {
    name: 'answers',
    list: [
      { name: 'text', ...text },
      { name: 'tokens', ...tokens },
    ],
  },
] as const;

/**
 * States the types of a data set in a README.md, where its beginning does not show all of them: `load_dataset` takes them from
 * there, and refuses what comes later. So it is where all pictures of the first shard failed, or where some pictures lie in
 * files of their own and others inside of files. A README.md that is there stays.
 * @param beginning of the records of the first shard, those that types are taken from
 * @param features all columns, as `datasets` has them in a README.md
 */
export async function stateTypes(
  folder: RunFolder,
  list: InputList,
  beginning: (records: readonly CaptionRecord[]) => readonly CaptionRecord[],
  features: readonly object[],
): Promise<void> {
  const shown = new Set<string>();
  for (let shard = 0; shard < list.shards; shard++) {
    const records = (await folder.readRecords(shard)) ?? [];
    if (shard === 0) for (const record of beginning(records)) for (const field of shownBy(record)) shown.add(field);
    if (records.every((record) => shownBy(record).every((field) => shown.has(field)))) continue;
    // JSON is YAML.
    const card = JSON.stringify({ dataset_info: { features } }, null, 2);
    return folder.createFile('README.md', `---\n${card}\n---\n`);
  }
}

/** The columns whose type a record shows, of those that may have no value in all of a file. */
function shownBy({ archive, row, text: caption, answers }: CaptionRecord): string[] {
  const values = { archive, row, text: caption, answers };
  return Object.entries(values).flatMap(([field, value]) => (value === undefined || value === null ? [] : [field]));
}
