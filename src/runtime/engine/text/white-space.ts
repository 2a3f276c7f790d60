/** Where white space ends, looked at letter by letter: an expression looks at all of it again from each of its letters. */

/** @returns where the white space begins that ends at `end`, from `least` on */
export function spaceBefore(text: string, end: number, least = 0): number {
  let begin = end;
  while (begin > least && SPACE.test(text.charAt(begin - 1))) begin--;
  return begin;
}

/** @returns where the white space ends that begins at `begin` */
export function spaceAfter(text: string, begin: number): number {
  let end = begin;
  while (end < text.length && SPACE.test(text.charAt(end))) end++;
  return end;
}

const SPACE = /\p{White_Space}/u;
