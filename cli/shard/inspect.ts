import { formatSize } from '../../src/planner/index.js';
import { type ModuleNode, moduleTree } from '../../src/loader/index.js';
import { printable } from '../../src/loader/format/quote.js';
import { formatCount } from '../../src/size.js';
import { command } from '../common/command.js';
import { EXIT } from '../common/main.js';
import { wholeNumber } from '../common/parser.js';
import { openNamed } from '../common/open-source.js';
import { warnOf } from '../common/warn-of.js';
import { plainText } from '../common/flags.js';
import { readerParser } from './shard-options.js';

const parser = readerParser('inspect', 'The tree of modules with parameters, dtypes and bytes.')
  .option('depth', { ...plainText('levels below the root [default: 2]'), coerce: wholeNumber('depth', 0) })
  .example('$0 ckpt', 'from the headers alone')
  .example('$0 Salesforce/blip2-opt-2.7b --depth 4', 'of a model on the hub, deeper');

export const inspect = command(parser, [], async (args) => {
  const { files, tensors, warnings } = await openNamed(args.checkpoint, args);
  const tree = moduleTree(tensors);
  const depth = args.depth ?? 2;
  if (args.json === true) {
    const shards = files.map(({ name, sizeBytes, dataStart, metadata }) => ({
      name,
      sizeBytes,
      dataStart,
      metadata: Object.fromEntries(metadata),
    }));
    process.stdout.write(`${JSON.stringify({ files: shards, modules: toJson(tree, depth), warnings })}\n`);
    return EXIT.ok;
  }
  const rows = toRows(tree, depth, 0);
  const width = Math.max(...rows.map(([name]) => name.length));
  for (const [name, parameters, bytes, dtypes] of rows) {
    process.stdout.write(`${name.padEnd(width)}  ${parameters.padStart(14)}  ${bytes.padStart(10)}  ${dtypes}\n`);
  }
  if (args.quiet !== true) {
    warnOf({ warnings });
    process.stderr.write(`${tensors.size} tensors in ${files.length} files\n`);
  }
  return EXIT.ok;
});

function toRows(node: ModuleNode, depth: number, level: number): [string, string, string, string][] {
  const name = level === 0 ? '(all)' : printable(node.path.slice(node.path.lastIndexOf('.') + 1));
  const row: [string, string, string, string] = [
    '  '.repeat(level) + name,
    formatCount(node.parameters).replaceAll(',', ' '),
    formatSize(node.bytes),
    [...node.dtypes.keys()].join(' '),
  ];
  return [row, ...(depth === 0 ? [] : node.children.flatMap((child) => toRows(child, depth - 1, level + 1)))];
}

function toJson(node: ModuleNode, depth: number): object {
  const { path, tensors, parameters, bytes, dtypes, children } = node;
  const below =
    depth === 0 || children.length === 0 ? {} : { children: children.map((child) => toJson(child, depth - 1)) };
  return { path, tensors, parameters, bytes, dtypes: Object.fromEntries(dtypes), ...below };
}
