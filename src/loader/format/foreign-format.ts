/** What a file is that was taken for safetensors, and what to do about it. */

export const CUT_OFF = 'The file is cut off: fetch it again.';

/** Of a file or a folder that has no weights but those. */
export const FROM_PYTORCH = 'load and save them again with transformers, which writes safetensors.';
export const FROM_GGUF = 'give the model that they were made from, or save it by transformers (gguf_file).';
export const FROM_OTHERS = 'give the model that they were made from.';

const PYTORCH = `If these are the model's weights, ${FROM_PYTORCH}`;
const OTHER = 'Give the file or the folder that has the weights as safetensors.';

const ELSEWHERE = `It has weights for other programs: ${FROM_OTHERS}`;

const SIGNATURES: readonly (readonly [begins: string | RegExp, what: string, hint: string])[] = [
  ['GGUF', 'a GGUF file', `llama.cpp reads such weights: ${FROM_GGUF}`],
  [
    'version https://git-lfs',
    'a Git LFS pointer, not the file itself',
    'Run `git lfs pull` where it was cloned, or download the file.',
  ],
  ['PK\u0003\u0004', 'a zip archive, such as a PyTorch .bin or .pt file', PYTORCH],
  ['\u0080\u0002', 'a Python pickle, such as an old PyTorch file', PYTORCH],
  ['\u0080\u0003', 'a Python pickle', PYTORCH],
  ['\u0080\u0004', 'a Python pickle', PYTORCH],
  ['\u0080\u0005', 'a Python pickle', PYTORCH],
  ['\u0089HDF', 'an HDF5 file', ELSEWHERE],
  ['\u001f\u008b', 'a gzip archive', 'Unpack it first.'],
  ['\u0093NUMPY', 'a NumPy file', OTHER],
  [
    /^\s*<(!doctype|html|\?xml)/i,
    'an HTML or XML page, probably an error page saved by a download',
    'Fetch the file again: the page says why it did not come.',
  ],
  [/^\s*\{/, 'JSON text', OTHER],
];

/** Of ONNX's ModelProto, by what may follow the version of its form: who made it, its graph, or its operators. */
const ONNX_FIELDS: ReadonlySet<number | undefined> = new Set([0x12, 0x1a, 0x3a, 0x42]);

/**
 * Asked only after the first 8 bytes made no sense as a header length, so that a real safetensors file is never mistaken.
 * @returns a sentence part such as "a GGUF file", and what to do; undefined where the first bytes tell nothing
 */
export function foreignFormat(firstBytes: Uint8Array): { readonly what: string; readonly hint: string } | undefined {
  const [first, version = 0, field] = firstBytes;
  if (first === 0x08 && version < 0x20 && ONNX_FIELDS.has(field)) return { what: 'an ONNX model', hint: ELSEWHERE };
  const text = String.fromCharCode(...firstBytes.subarray(0, 64));
  const found = SIGNATURES.find(([begins]) =>
    typeof begins === 'string' ? text.startsWith(begins) : begins.test(text),
  );
  return found === undefined ? undefined : { what: found[1], hint: found[2] };
}
