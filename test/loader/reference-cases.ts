/**
 * One crafted file per rule of the format, right and wrong. What the reference reader says to each is recorded in
 * `reference-verdicts.json` by `record_verdicts.py`; where this loader is meant to differ, the case says how.
 */
import { u64, withHeader } from './safetensors-bytes.js';

export interface ReferenceCase {
  readonly id: string;
  readonly bytes: Buffer;
  /**
   * What this loader says where it differs from the reference on purpose: an error code, as it refuses what the
   * specification forbids or says more precisely what a file is. Absent where both agree.
   */
  readonly ours?: string;
}

const entry = (dtype: string, shape: string, offsets: string) =>
  `{"dtype":${dtype},"shape":${shape},"data_offsets":${offsets}}`;
const u8 = (begin: number, end: number) => entry('"U8"', `[${end - begin}]`, `[${begin},${end}]`);
const one = (fields: string, name = '"a"') => `{${name}:${fields}}`;
const data = (length: number) => Buffer.alloc(length, 1);
const GOOD = one(u8(0, 1));

function file(id: string, header: string | Uint8Array, length = 0, ours?: string): ReferenceCase {
  return raw(id, withHeader(header, data(length)), ours);
}

function raw(id: string, bytes: Buffer, ours?: string): ReferenceCase {
  return ours === undefined ? { id, bytes } : { id, bytes, ours };
}

export function referenceCases(): ReferenceCase[] {
  return [
    ...lengths(),
    ...foreign(),
    ...encodings(),
    ...json(),
    ...duplicates(),
    ...metadata(),
    ...entryFields(),
    ...layouts(),
    ...names(),
  ];
}

function lengths(): ReferenceCase[] {
  return [
    raw('01-empty-file', Buffer.alloc(0)),
    raw('01-seven-bytes', Buffer.alloc(7)),
    raw('02-zero-length', u64(0n)),
    raw('03-length-beyond-file', Buffer.concat([u64(1000n), Buffer.from('{}')])),
    raw('03-length-beyond-file-by-one', Buffer.concat([u64(3n), Buffer.from('{}')])),
    raw('04-largest-length-in-short-file', Buffer.concat([u64(100_000_000n), Buffer.from('{}')])),
    raw('05-length-above-limit', Buffer.concat([u64(100_000_001n), Buffer.from('{}')])),
    raw('05-length-2-63', Buffer.concat([u64(1n << 63n), Buffer.from('{}')])),
    raw('05-length-2-64-minus-1', Buffer.concat([u64((1n << 64n) - 1n), Buffer.from('{}')])),
    raw('06-big-endian-length', Buffer.concat([Buffer.from(u64(2n).toReversed()), Buffer.from('{}')])),
    file('14-empty-object', '{}'),
    file('14-empty-object-padded', '{}      '),
    file('15-data-of-no-tensor', '{}', 1),
  ];
}

function foreign(): ReferenceCase[] {
  const text = (start: string) => Buffer.from(start.padEnd(200, ' '), 'latin1');
  return [
    raw('06-gguf', text('GGUF\u0003\0\0\0'), 'NOT_SAFETENSORS'),
    raw(
      '06-git-lfs-pointer',
      text('version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 12\n'),
      'NOT_SAFETENSORS',
    ),
    raw('06-html', text('<!DOCTYPE html><html><body>404</body></html>'), 'NOT_SAFETENSORS'),
    raw('07-zip', text('PK\u0003\u0004\u0014\0\0\0'), 'NOT_SAFETENSORS'),
    raw('07-pickle', text('\u0080\u0002}q\0(X\u0001\0'), 'NOT_SAFETENSORS'),
    raw('07-json', text('{"weight_map": {}}'), 'NOT_SAFETENSORS'),
  ];
}

function encodings(): ReferenceCase[] {
  const inside = (bytes: number[]) =>
    Buffer.concat([Buffer.from('{"a'), Buffer.from(bytes), Buffer.from(`":${u8(0, 1)}}`)]);
  return [
    file('08-not-utf8', Buffer.from([0xff, 0xfe])),
    file('08-not-utf8-in-key', inside([0xff]), 1),
    file('08-overlong', inside([0xc0, 0x80]), 1),
    file('08-encoded-surrogate', inside([0xed, 0xa0, 0x80]), 1),
    file('09-bom', `\ufeff${GOOD}`, 1),
    file('13-leading-tab', `\t${GOOD}`, 1),
    file('13-leading-newline', `\r\n ${GOOD}`, 1),
    file('13-leading-no-break-space', `\u00a0${GOOD}`, 1),
    file('13-trailing-no-break-space', `${GOOD}\u00a0`, 1),
    file('13-trailing-newline', `${GOOD}\n\t`, 1),
  ];
}

function json(): ReferenceCase[] {
  const nested = (depth: number) => one(`{"x":${'['.repeat(depth)}${']'.repeat(depth)},${u8(0, 1).slice(1)}`);
  const extra = (value: string) => one(`{"x":${value},${u8(0, 1).slice(1)}`);
  return [
    file('10-open-brace', '{'),
    file('10-trailing-comma', `{"a":${u8(0, 1)},}`, 1),
    file('10-trailing-comma-in-array', one(entry('"U8"', '[1,]', '[0,1]')), 1),
    file('10-comment', `{/* */"a":${u8(0, 1)}}`, 1),
    file('10-nan', one(entry('"U8"', '[NaN]', '[0,1]')), 1),
    file('10-leading-zero', one(entry('"U8"', '[02]', '[0,2]')), 2),
    file('10-single-quotes', one(u8(0, 1), "'a'"), 1),
    file('10-missing-colon', `{"a"${u8(0, 1)}}`, 1),
    file('10-missing-comma', `{"a":${u8(0, 1)} "b":${u8(1, 2)}}`, 2),
    file(
      '10-white-space-everywhere',
      ` { "a" : { "dtype" : "U8" , "shape" : [ 1 ] , "data_offsets" : [ 0 , 1 ] } } `,
      1,
    ),
    file('11-array', '[]'),
    file('11-null', 'null'),
    file('11-string', '"x"'),
    file('11-number', '1'),
    file('12-trailing-letter', '{}x'),
    file('12-two-objects', '{}{}'),
    file('12-nul-padding', '{}\0\0'),
    file('27-extra-field', extra('1'), 1),
    file('27-extra-field-float', extra('-1.5e-3'), 1),
    file('27-extra-field-literals', extra('[true,false,null,"x",{"y":{}}]'), 1),
    file('27-extra-field-number-out-of-range', extra('1e999'), 1),
    file('27-extra-field-long-integer', extra('9'.repeat(40)), 1),
    file('27-extra-field-bad-literal', extra('nul'), 1),
    file('27-extra-field-bad-number', extra('1.'), 1),
    file('27-extra-field-plus', extra('+1'), 1),
    file('27-extra-field-duplicate-extra', one(`{"x":1,"x":2,${u8(0, 1).slice(1)}`), 1),
    file('44-lone-surrogate-escape', one(u8(0, 1), String.raw`"\ud800"`), 1),
    file('44-lone-low-surrogate-escape', one(u8(0, 1), String.raw`"\udc00"`), 1),
    file('44-surrogate-then-letter', one(u8(0, 1), String.raw`"\ud800\u0061"`), 1),
    file('44-surrogate-pair-escape', one(u8(0, 1), String.raw`"\ud83d\ude00"`), 1),
    file('44-short-escape', one(u8(0, 1), String.raw`"\u00"`), 1),
    file('44-unknown-escape', one(u8(0, 1), String.raw`"\x41"`), 1),
    file('44-every-escape', one(u8(0, 1), String.raw`"\"\\\/\b\f\n\r\t"`), 1),
    file('44-control-character', one(u8(0, 1), '"a\u0001"'), 1),
    file('44-raw-newline', one(u8(0, 1), '"a\n"'), 1),
    file('44-delete-character', one(u8(0, 1), '"a\u007f"'), 1),
    file('44-string-without-end', '{"a'),
    file('45-nested-120', nested(118), 1),
    file('45-nested-127', nested(125), 1),
    file('45-nested-128', nested(126), 1),
    file('45-nested-200', nested(198), 1),
  ];
}

function duplicates(): ReferenceCase[] {
  const two = (first: string, second: string, key = '"a"') => `{"a":${first},${key}:${second}}`;
  return [
    file('16-same-tensor-twice', two(u8(0, 1), u8(0, 1)), 1, 'DUPLICATE_KEY'),
    file('17-same-name-other-span', two(u8(0, 1), u8(0, 2)), 2, 'DUPLICATE_KEY'),
    file('18-same-name-leaving-a-hole', two(u8(0, 1), u8(1, 2)), 2, 'DUPLICATE_KEY'),
    file('19-same-name-by-escape', two(u8(0, 1), u8(0, 1), String.raw`"\u0061"`), 1, 'DUPLICATE_KEY'),
    file('20-metadata-twice', `{"__metadata__":{},"__metadata__":{},"a":${u8(0, 1)}}`, 1),
    file('20-dtype-twice', one(`{"dtype":"U8",${u8(0, 1).slice(1)}`), 1),
    file('20-shape-twice', one(`{"shape":[1],${u8(0, 1).slice(1)}`), 1),
    file('20-offsets-twice', one(`{"data_offsets":[0,1],${u8(0, 1).slice(1)}`), 1),
    file('21-metadata-key-twice', `{"__metadata__":{"x":"1","x":"2"},"a":${u8(0, 1)}}`, 1, 'DUPLICATE_KEY'),
  ];
}

function metadata(): ReferenceCase[] {
  const withMetadata = (value: string) => `{"__metadata__":${value},"a":${u8(0, 1)}}`;
  return [
    ...['{"x":1}', '{"x":null}', '{"x":{}}', '[]', '"x"', '1', 'true', u8(0, 1)].map((value, i) =>
      file(`22-metadata-wrong-type-${i}`, withMetadata(value), 1),
    ),
    file('23-metadata-null', withMetadata('null'), 1),
    file('23-metadata-empty', withMetadata('{}'), 1),
    file('23-metadata-format', withMetadata('{"format":"pt"}'), 1),
    file('23-metadata-last', `{"a":${u8(0, 1)},"__metadata__":{"format":"pt"}}`, 1),
    file('23-metadata-by-escape', `{"__meta\\u0064ata__":{"format":"pt"},"a":${u8(0, 1)}}`, 1),
    file('24-metadata-only', '{"__metadata__":{"x":"y"}}'),
  ];
}

function entryFields(): ReferenceCase[] {
  const dtypes = ['"F31"', '"f32"', '"I4"', '"F8_E4M3FN"', '"FP4"', '""', '5', 'null', '["U8"]'];
  const shapes = [
    '[-2]',
    '["2"]',
    '[null]',
    '2',
    'null',
    '{}',
    '[18446744073709551616]',
    '[[1]]',
    '[true]',
    '[2.0]',
    '[2e0]',
    '[-0]',
    '[0.0]',
  ];
  const offsets = [
    '[0]',
    '[]',
    '[0,1,1]',
    '[-1,1]',
    '[0,1.0]',
    '[0,18446744073709551616]',
    'null',
    '"0,1"',
    '{"0":0,"1":1}',
  ];
  return [
    ...dtypes.map((dtype, i) => file(`25-dtype-${i}`, one(entry(dtype, '[1]', '[0,1]')), 1)),
    file('25-dtype-as-object', one(entry('{"U8":null}', '[1]', '[0,1]')), 1, 'INVALID_HEADER_DESERIALIZATION'),
    ...['null', '{}', '[]', '1', '"x"', 'true'].map((value, i) => file(`26-entry-${i}`, one(value))),
    file('26-no-dtype', one('{"shape":[1],"data_offsets":[0,1]}'), 1),
    file('26-no-shape', one('{"dtype":"U8","data_offsets":[0,1]}'), 1),
    file('26-no-offsets', one('{"dtype":"U8","shape":[1]}'), 1),
    file('28-entry-as-array', one('["U8",[1],[0,1]]'), 1, 'INVALID_HEADER_DESERIALIZATION'),
    ...shapes.map((shape, i) => file(`29-shape-${i}`, one(entry('"U8"', shape, '[0,2]')), 2)),
    ...offsets.map((value, i) => file(`31-offsets-${i}`, one(entry('"U8"', '[1]', value)), 1)),
  ];
}

function layouts(): ReferenceCase[] {
  const two = (a: string, b: string) => `{"a":${a},"b":${b}}`;
  const dtypes: readonly (readonly [string, number])[] = [
    ['BOOL', 1], ['F4', 0.5], ['F6_E2M3', 0.75], ['F6_E3M2', 0.75], ['U8', 1], ['I8', 1], ['F8_E5M2', 1], ['F8_E4M3', 1],
    ['F8_E8M0', 1], ['F8_E4M3FNUZ', 1], ['F8_E5M2FNUZ', 1], ['I16', 2], ['U16', 2], ['F16', 2], ['BF16', 2], ['I32', 4],
    ['U32', 4], ['F32', 4], ['C64', 8], ['F64', 8], ['I64', 8], ['U64', 8],
  ]; // prettier-ignore
  const big = (1n << 63n) - 1n;
  return [
    file('32-offsets-reversed', one(entry('"U8"', '[8]', '[8,0]')), 8),
    file('33-first-at-8', one(u8(8, 16)), 16),
    file('34-overlap', two(u8(0, 4), u8(2, 6)), 6),
    file('34-same-bytes-twice', two(u8(0, 4), u8(0, 4)), 4),
    file('34-hole', two(u8(0, 4), u8(5, 6)), 6),
    file('34-header-order-is-free', two(u8(4, 6), u8(0, 4)), 6),
    file('35-end-beyond-file', one(u8(0, 9)), 8),
    file('35-one-byte-short', one(u8(0, 8)), 7),
    file('35-one-byte-extra', one(u8(0, 8)), 9),
    file('35-end-2-64-minus-1', one(entry('"U8"', '[18446744073709551615]', '[0,18446744073709551615]')), 8),
    file('36-shape-too-small', one(entry('"F32"', '[1]', '[0,8]')), 8),
    file('36-shape-too-large', one(entry('"F32"', '[3]', '[0,8]')), 8),
    file('37-overflow-of-bytes', one(entry('"I32"', '[2,18446744073709551614]', '[0,8]')), 8),
    file('37-overflow-of-bits', one(entry('"I32"', '[2,9223372036854775807]', '[0,8]')), 8),
    file('37-product-above-2-53', one(entry('"U8"', '[134217728,134217728]', '[0,8]')), 8),
    file('38-zero-then-huge', one(entry('"U8"', `[0,${big},9]`, '[0,0]')), 0, 'UNSAFE_INTEGER'),
    file('38-zero-then-large-safe', one(entry('"U8"', '[0,9007199254740991,9]', '[0,0]'))),
    file('39-huge-then-zero', one(entry('"U8"', `[${big},9,0]`, '[0,0]'))),
    file('40-f4-odd', one(entry('"F4"', '[3]', '[0,1]')), 1),
    file('40-f6-odd', one(entry('"F6_E2M3"', '[3]', '[0,2]')), 2),
    file('41-empty-at-running-end', two(u8(0, 4), entry('"F32"', '[0,7]', '[4,4]')), 4),
    file('41-empty-at-start', two(entry('"F32"', '[0]', '[0,0]'), u8(0, 4)), 4),
    file('41-empty-elsewhere', two(u8(0, 4), entry('"F32"', '[0]', '[2,2]')), 4),
    file('41-empty-beyond-end', two(u8(0, 4), entry('"F32"', '[0]', '[5,5]')), 4),
    file('42-unaligned-data', two(u8(0, 1), entry('"F32"', '[1]', '[1,5]')), 5),
    file(
      '46-many-tensors-on-one-span',
      `{${Array.from({ length: 5000 }, (_, i) => `"${i}":${u8(0, 1)}`).join(',')}}`,
      1,
    ),
    file('47-thousand-dims', one(entry('"U8"', `[${Array(1000).fill(1).join(',')}]`, '[0,1]')), 1),
    file('47-scalar', one(entry('"F32"', '[]', '[0,4]')), 4),
    ...dtypes.map(([dtype, bytes]) =>
      file(`47-dtype-${dtype}`, one(entry(`"${dtype}"`, '[2,4]', `[0,${8 * bytes}]`)), 8 * bytes),
    ),
  ];
}

function names(): ReferenceCase[] {
  const named = [
    '',
    '__proto__',
    'constructor',
    '\0',
    '../../x',
    '7',
    '\u00e9',
    'e\u0301',
    '😀',
    'x'.repeat(1_000_000),
  ];
  return [
    ...named.map((name, i) => file(`43-name-${i}`, one(u8(0, 1), JSON.stringify(name)), 1)),
    file('43-integer-like-names-out-of-order', `{"2":${u8(0, 1)},"1":${u8(1, 2)}}`, 2),
    file('43-composed-and-decomposed', `{"\u00e9":${u8(0, 1)},"e\u0301":${u8(1, 2)}}`, 2),
  ];
}
