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
  try {
    let [before = null, after = null] = await next();
    while (before === after) {
      if (before === null) return null;
      [before = null, after = null] = await next();
    }
    const [following = null, followed = null] = await next();
    return parted([before, following], [after, followed]);
  } catch {
    return null;
  } finally {
    await Promise.all(lists.map((list) => list.return?.()));
  }
}

type Lines = readonly [string | null, string | null];

function parted([before, following]: Lines, [after, followed]: Lines): string {
  const nameOf = (line: string): string => pictureName(parseInputPicture(line));
  if (after === null || (before !== null && after === following)) return `${nameOf(before ?? '')} is gone`;
  if (before === null || before === followed) return `${nameOf(after)} is new`;
  const [was, is] = [nameOf(before), nameOf(after)];
  return was === is ? `${is} has changed` : `${is} is in place of ${was}`;
}
