/**
 * What a file is that was taken for safetensors: asked only after its first 8 bytes made no sense as a header length, so
 * that a real safetensors file is never mistaken.
 */
const SIGNATURES: readonly (readonly [string, string])[] = [
  ['GGUF', 'a GGUF file'],
  ['version https://git-lfs', 'a Git LFS pointer, not the file itself (run `git lfs pull`)'],
  ['PK\u0003\u0004', 'a zip archive, such as a PyTorch .bin or .pt file'],
  ['\u0080\u0002', 'a Python pickle, such as an old PyTorch file'],
  ['\u0080\u0003', 'a Python pickle'],
  ['\u0080\u0004', 'a Python pickle'],
  ['\u0080\u0005', 'a Python pickle'],
  ['\u0089HDF', 'an HDF5 file'],
  ['\u001f\u008b', 'a gzip archive'],
  ['\u0093NUMPY', 'a NumPy file'],
];

/** A sentence part such as "a GGUF file", or undefined where the first bytes tell nothing. */
export function foreignFormat(firstBytes: Uint8Array): string | undefined {
  const text = String.fromCharCode(...firstBytes.subarray(0, 64));
  const found = SIGNATURES.find(([signature]) => text.startsWith(signature));
  if (found !== undefined) return found[1];
  if (/^\s*<(!doctype|html|\?xml)/i.test(text))
    return 'an HTML or XML page, probably an error page saved by a download';
  if (/^\s*\{/.test(text)) return 'JSON text';
  return undefined;
}
