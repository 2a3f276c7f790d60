import { expect, it } from 'vitest';
import { readHeader } from './read-header.js';

const source = (text: string) => {
  const bytes = Uint8Array.from(text.padEnd(64, '\0'), (character) => character.charCodeAt(0));
  return {
    name: 'weights',
    path: '/weights',
    sizeBytes: bytes.length,
    read: (begin: number, end: number) => Promise.resolve(bytes.subarray(begin, end)),
  };
};

/** First bytes as each format's own documentation has them. */
it.each([
  ['GGUF\u0003\0\0\0', /a GGUF file/, /llama\.cpp reads such weights: give the model/],
  ['version https://git-lfs.github.com/spec/v1\n', /a Git LFS pointer/, /git lfs pull/],
  ['PK\u0003\u0004\0\0\u0008\u0008', /a zip archive, such as a PyTorch/, /save them again with transformers/],
  ['\u0080\u0002\u008a\nl\u00fc\u009cF\u00f9', /a Python pickle/, /save them again with transformers/],
  ['\u0008\u0007\u0012\u0007pytorch\u001a\u00052.1.0', /an ONNX model/, /give the model that they were made from/],
  ['\u0008\u000aB\u0002\u0010\u0015:\u0004', /an ONNX model/, /give the model that they were made from/],
  ['\u0089HDF\r\n\u001a\n', /an HDF5 file/, /give the model that they were made from/],
  ['<!DOCTYPE html><html>', /an HTML or XML page/, /Fetch the file again/],
  ['{"model_type": "opt"}', /JSON text/, /weights as safetensors/],
])('%j is named, with what to do', async (start, what, hint) => {
  await expect(readHeader(source(start))).rejects.toMatchObject({
    code: 'NOT_SAFETENSORS',
    message: expect.stringMatching(what) as unknown,
    hint: expect.stringMatching(hint) as unknown,
  });
});

it('says what to do about bytes that tell nothing', async () => {
  await expect(readHeader(source('import json, struct'))).rejects.toMatchObject({
    code: 'HEADER_TOO_LARGE',
    hint: expect.stringContaining('give the file that has the weights') as unknown,
  });
  await expect(readHeader({ ...source(''), sizeBytes: 0 })).rejects.toMatchObject({
    code: 'HEADER_TOO_SMALL',
    hint: 'The file is cut off: fetch it again.',
  });
});
