/**
 * The fast way through a header as the reference writer makes it: compact JSON without escapes, each entry with its three
 * fields in their order. An expression that matches nothing else walks it entry by entry, so nothing is lost on the way:
 * no key that stands twice, no number in another form. Any other header gets no verdict here: `parse-header.ts` reads it
 * character by character.
 */
import { at } from '../../checked-access.js';
import { isDtype } from '../../tensor/dtype.js';
import type { HeaderEntry, ParsedHeader } from './parsed-header.js';

// A string without escapes and control characters; an integer of at most 15 digits, which is always safe.
const STRING = String.raw`"([^"\\\u0000-\u001f]*)"`;
const INTEGER = String.raw`(?:0|[1-9][0-9]{0,14})`;

/**
 * Longer headers are read character by character: V8's expressions have 64 MiB for their ways back, which a shape of
 * millions of dimensions would exceed. A header of 1250 tensors has 0.18 MB.
 */
const MAX_CHARACTERS = 1024 * 1024;

const OPENING = /\{/y;
const METADATA = new RegExp(String.raw`"__metadata__":\{((?:${STRING}:${STRING},?)*)\}(,?)`, 'y');
const PAIR = new RegExp(String.raw`${STRING}:${STRING}(?:,(?=")|$)`, 'y');
const ENTRY = new RegExp(
  String.raw`${STRING}:\{"dtype":"([A-Z0-9_]+)","shape":\[((?:${INTEGER}(?:,${INTEGER})*)?)\],"data_offsets":\[(${INTEGER}),(${INTEGER})\]\}(,?)`,
  'y',
);
const ENDING = /\}[ \t\r\n]*$/y;

/** The parsed header, or undefined where the text is not in the form described above, right or wrong. */
export function parseCanonicalHeader(json: string): ParsedHeader | undefined {
  if (json.length > MAX_CHARACTERS) return undefined;
  let position = 0;
  const match = (expression: RegExp): RegExpExecArray | null => {
    expression.lastIndex = position;
    const found = expression.exec(json);
    if (found !== null) position = expression.lastIndex;
    return found;
  };
  if (match(OPENING) === null) return undefined;
  const pairs = match(METADATA);
  const metadata = pairs === null ? null : parsePairs(at(pairs, 1));
  if (metadata === undefined) return undefined;
  let more = pairs === null ? !json.startsWith('}', position) : pairs.at(-1) === ',';
  const entries: HeaderEntry[] = [];
  const names = new Set<string>();
  while (more) {
    const found = match(ENTRY);
    if (found === null) return undefined;
    const [, name, dtype, shape, begin, end, comma] = found;
    if (name === undefined || dtype === undefined || shape === undefined) return undefined;
    if (name === '__metadata__' || !isDtype(dtype)) return undefined;
    names.add(name);
    entries.push({
      name,
      dtype,
      shape: shape === '' ? [] : shape.split(',').map(Number),
      begin: Number(begin),
      end: Number(end),
    });
    more = comma === ',';
  }
  if (match(ENDING) === null || names.size < entries.length) return undefined;
  return { metadata, entries, withExtraFields: [] };
}

/** undefined where a key stands twice, or a comma is out of place. */
function parsePairs(text: string): ReadonlyMap<string, string> | undefined {
  const metadata = new Map<string, string>();
  let count = 0;
  for (PAIR.lastIndex = 0; PAIR.lastIndex < text.length; count++) {
    const [, key, value] = PAIR.exec(text) ?? [];
    if (key === undefined || value === undefined) return undefined;
    metadata.set(key, value);
  }
  return metadata.size === count ? metadata : undefined;
}
