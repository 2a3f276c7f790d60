/**
 * The lines of UTF-8 text, which end at a line feed and nowhere else: `node:readline` of Node 24 ends them at U+2028 and U+2029,
 * too, which JSON may have in its strings. A byte order mark before the text, and a carriage return at a line's end, are left out.
 */
export async function* readLines(chunks: AsyncIterable<string | Uint8Array>): AsyncGenerator<string, void> {
  const decoder = new TextDecoder();
  let line = '';
  for await (const chunk of chunks) {
    const text = typeof chunk === 'string' ? chunk : decoder.decode(chunk, { stream: true });
    let begin = 0;
    for (let end = text.indexOf('\n'); end !== -1; end = text.indexOf('\n', begin)) {
      yield withoutReturn(line + text.slice(begin, end));
      line = '';
      begin = end + 1;
    }
    line += text.slice(begin);
  }
  line += decoder.decode();
  if (line !== '') yield withoutReturn(line);
}

const withoutReturn = (line: string): string => (line.endsWith('\r') ? line.slice(0, -1) : line);
