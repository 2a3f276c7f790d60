/** Writes every case to a folder, for `record_verdicts.py`: `node write-reference-cases.js <folder>`. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { referenceCases } from './reference-cases.js';

const folder = process.argv[2];
if (folder === undefined) throw new Error('usage: write-reference-cases <folder>');
for (const { id, bytes } of referenceCases()) writeFileSync(join(folder, `${id}.safetensors`), bytes);
