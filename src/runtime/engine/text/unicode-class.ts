/**
 * The inside of a class of a regular expression with flag `u`: ranges of characters, whatever Unicode this JavaScript has.
 * @param packed a table of `unicode-tables.ts`
 */
export function unicodeClass(packed: string): string {
  let end = 0;
  const ranges = packed.split(' ').map((range) => {
    const [distance = '', more = '0'] = range.split('-');
    const first = end + parseInt(distance, 36);
    end = first + parseInt(more, 36);
    return `\\u{${first.toString(16)}}-\\u{${end.toString(16)}}`;
  });
  return ranges.join('');
}
