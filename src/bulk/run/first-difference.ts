import { createReadStream } from 'node:fs';
import { readLines } from '../../loader/file/read-lines.js';
import { parseInputPicture, pictureName } from '../inputs/input-picture.js';

/**
 * Where two lists of pictures part, in words: a person who is refused has to know which picture came, went or changed.
 * @param then path of the list of a run that is there
 * @param now path of the list that is asked for
 * @returns null where the first cannot be read, and where both are alike
 */
export async function firstDifference(then: string, now: string): Promise<string | null> {
  const lists = [then, now].map((path) => readLines(createReadStream(path))[Symbol.asyncIterator]());
  const next = () => Promise.all(lists.map(async (list) => (await list.next()).value ?? null));
  let changed: string | null = null;
  try {
    for (;;) {
      const [before = null, after = null] = await next();
      if (before === null && after === null) return changed;
      if (before === after) continue;
      const names = [before, after].map(nameOf);
      if (names[0] !== names[1]) return parted(names, (await next()).map(nameOf));
      changed ??= `${names[0]} ${after?.includes('"beneath"') === true ? 'is named in another way' : 'has changed'}`;
    }
  } catch {
    return null;
  } finally {
    await Promise.all(lists.map((list) => list.return?.()));
  }
}

const nameOf = (line: string | null): string | null => (line === null ? null : pictureName(parseInputPicture(line)));

type Names = readonly (string | null)[];

function parted([before, after]: Names, [following, followed]: Names): string {
  if (after === null || (before !== null && after === following)) return `${before} is gone`;
  if (before === null || before === followed) return `${after} is new`;
  return `${after} is in place of ${before}`;
}
