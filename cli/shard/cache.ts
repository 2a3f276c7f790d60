/** `blip2-shard cache`: the converted and quantised weights that runs keep for later ones. */
import { dirname } from 'node:path';
import { formatSize } from '../../src/planner/index.js';
import { type CachedFile, listCache, removeCached } from '../../src/loader/index.js';
import { sealFault } from '../../src/loader/cache/seal.js';
import { removeAbandonedFiles } from '../../src/loader/write/temporary-file.js';
import { defaultCacheFolder } from '../../src/runtime/device/cache-folder.js';
import { EXIT, usageError, type CommandContext } from '../common/main.js';
import { inColumns } from '../common/in-columns.js';
import { command } from '../common/command.js';
import { counted } from '../common/counted.js';
import { createParser } from '../common/parser.js';
import { RateLine } from '../common/rate-line.js';
import { plainSwitch } from '../common/flags.js';

const TASKS = ['ls', 'verify', 'rm', 'prune'] as const;

/** Characters of an id that are shown; as many as tell it from others are enough to name it. */
const SHOWN = 8;

const parser = createParser(
  'blip2-shard cache',
  '$0 <task> [ids..]',
  'Converted and quantised weights that runs keep for later ones: ls lists them, verify reads them and says which are damaged, rm removes some, prune removes what no run will find again.',
)
  .positional('task', { choices: TASKS, demandOption: true, describe: 'what to do' })
  .positional('ids', {
    type: 'string',
    array: true,
    default: [] as string[],
    describe: 'of rm and verify: first characters of ids',
  })
  .option('all', plainSwitch('of rm: everything'))
  .option('dry-run', plainSwitch('say what would be removed, remove nothing'))
  .option('json', plainSwitch('one JSON document on stdout; errors as JSON too'))
  .option('quiet', { ...plainSwitch('nothing on stderr but errors'), alias: 'q' })
  .example('$0 ls', 'what is kept, largest first')
  .example('$0 verify', 'reads every byte of all; exit status 1 where one is damaged')
  .example('$0 rm 3f2a', 'removes one')
  .example('$0 prune', 'removes what is made of files that are gone or have changed')
  .epilogue('What is removed is made again by the run that needs it.');

export const cache = command(parser, ['ids'], async (args, context) => {
  const ids = args.ids.map(String);
  const takesIds = args.task === 'rm' || args.task === 'verify';
  if (!takesIds && ids.length > 0) throw usageError(`${args.task} takes no ids`, 'Only rm and verify do.');
  if (args.task !== 'rm' && args.all === true) throw usageError(`${args.task} takes no --all`, 'Only rm does.');
  if ((args.task === 'ls' || args.task === 'verify') && args['dry-run'] === true)
    throw usageError(`${args.task} removes nothing: --dry-run has no meaning`);
  const folder = defaultCacheFolder();
  const files = await listCache(folder);
  if (args.task === 'ls') {
    process.stdout.write(args.json === true ? `${JSON.stringify({ folder, files })}\n` : table(files));
    if (args.quiet !== true) process.stderr.write(`${total(files)} in ${folder}\n`);
    return EXIT.ok;
  }
  if (args.task === 'verify') {
    return verify(folder, ids.length === 0 ? files : named(files, ids, false), args, context);
  }
  const removed = args.task === 'prune' ? files.filter(({ isStale }) => isStale) : named(files, ids, args.all === true);
  if (args['dry-run'] !== true) {
    await removeCached(removed);
    if (files.length > 0) await removeAbandonedFiles(folder);
  }
  process.stdout.write(
    args.json === true
      ? `${JSON.stringify({ folder, removed })}\n`
      : removed.map(({ id }) => `${id.slice(0, SHOWN)}\n`).join(''),
  );
  if (args.quiet !== true) {
    process.stderr.write(`${args['dry-run'] === true ? 'would remove' : 'removed'} ${total(removed)}\n`);
  }
  return EXIT.ok;
});

/** Reads every byte. What an earlier version has written has no sums to compare with, and is said to be so. */
async function verify(
  folder: string,
  files: readonly CachedFile[],
  { json, quiet }: { readonly json?: boolean | undefined; readonly quiet?: boolean | undefined },
  { signal }: CommandContext,
): Promise<number> {
  const rate = new RateLine(quiet !== true);
  const verified: { readonly id: string; readonly path: string; readonly fault: string | null }[] = [];
  for (const { id, path } of files) {
    const onProgress = (done: number, total: number) => rate.update(done, total);
    const fault = await sealFault(path, { extent: 'all', signal, onProgress }).finally(() => rate.clear());
    verified.push({ id, path, fault });
    if (json !== true) process.stdout.write(`${id.slice(0, SHOWN)}  ${fault ?? 'sound'}\n`);
  }
  if (json === true) process.stdout.write(`${JSON.stringify({ folder, files: verified })}\n`);
  const faulty = verified.filter(({ fault }) => fault !== null);
  if (quiet !== true) {
    process.stderr.write(
      faulty.length === 0
        ? `sound: ${total(files)}\n`
        : `${faulty.length} of ${files.length} damaged; blip2-shard cache rm removes them, and the run that needs one makes it again\n`,
    );
  }
  return faulty.length === 0 ? EXIT.ok : EXIT.failed;
}

function named(files: readonly CachedFile[], ids: readonly string[], all: boolean): readonly CachedFile[] {
  if (all && ids.length > 0) throw usageError('--all and ids both say what to remove');
  if (all) return files;
  if (ids.length === 0) throw usageError('say what to remove', 'Name ids that blip2-shard cache ls shows, or --all.');
  const chosen = ids.map((id) => {
    const [file, other] = id === '' ? [] : files.filter((each) => each.id.startsWith(id));
    if (file !== undefined && other === undefined) return file;
    throw usageError(
      file === undefined ? `nothing in the cache has the id "${id}"` : `several ids begin with "${id}"`,
      'See blip2-shard cache ls.',
    );
  });
  return [...new Set(chosen)];
}

const total = (files: readonly CachedFile[]): string =>
  `${counted(files.length, 'file')}, ${formatSize(files.reduce((sum, file) => sum + file.sizeBytes, 0))}`;

function table(files: readonly CachedFile[]): string {
  if (files.length === 0) return '';
  const rows = files.map((file) => [
    file.id.slice(0, SHOWN),
    formatSize(file.sizeBytes),
    new Date(file.madeMs).toISOString().slice(0, 10),
    file.holds.join(' '),
    `${[...new Set(file.madeOf.map((path) => dirname(path)))].join(' ') || '?'}${file.isStale ? ' (gone or changed)' : ''}`,
  ]);
  return `${inColumns([['ID', 'SIZE', 'MADE', 'HOLDS', 'FROM'], ...rows]).join('\n')}\n`;
}
