import type { PictureSize } from '../../src/runtime/index.js';
import { createParser, parseArgs } from '../common/parser.js';
import { pictureSize } from '../common/picture-size.js';
import { bulkFlags, BULK_FLAGS } from '../run/bulk-flags.js';
import { generationFlags, GENERATION_FLAGS } from '../run/generation-flags.js';

/** What one worker may do otherwise than another, and what says where and when, not what. */
const FREE = new Set(['batch', 'out', 'shard', 'workers', 'retry-failed', 'path-field', 'image-column']);

const NAMES = [...GENERATION_FLAGS, ...BULK_FLAGS].filter((name) => !FREE.has(name));

/** The flags of a command line that decide what a run writes, as words of one. */
export function runFlags(
  args: Readonly<Record<string, unknown>> & { 'picture-size'?: PictureSize | undefined },
): string[] {
  const size = args['picture-size'];
  return [
    ...NAMES.flatMap((name) => {
      const value = args[name];
      if (value === undefined) return [];
      if (value === true) return [`--${name}`];
      return (Array.isArray(value) ? value : [value]).map((each) => `--${name}=${String(each)}`);
    }),
    ...(size === undefined ? [] : [`--picture-size=${size.width}x${size.height}`]),
  ];
}

/** Those words, read as a command line is. @throws Blip2Error `USAGE` for any other */
export async function parseRunFlags(flags: readonly string[]) {
  const ofRun = bulkFlags(generationFlags(createParser('blip2-run queue', '$0', '')));
  const parser = ofRun.option('picture-size', { type: 'string', nargs: 1, coerce: pictureSize });
  const args = await parseArgs(parser, flags, ['stop-id']);
  if (args === null) throw new Error('flags of a run ask for help');
  return args;
}
