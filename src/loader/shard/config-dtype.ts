/**
 * The dtype that a config.json states, changed in its text: the rest of the file stays as it was written, numbers too.
 *
 * As transformers' `save_pretrained` (5.17) writes it: at the top the dtype of the model's first parameter, in each
 * part's configuration the dtype that the model was loaded in. Files from before version 5 call it `torch_dtype`.
 */
import { JsonScanner } from '../format/json-scanner.js';

export interface ConfigDtype {
  /** Of the first parameter, such as `float16`. */
  readonly model: string;
  /** Of what was asked for: modules may be kept in float32. */
  readonly parts: string;
}

const KEYS: ReadonlySet<string> = new Set(['dtype', 'torch_dtype']);

interface Edit {
  readonly begin: number;
  readonly end: number;
  readonly text: string;
}

/** @throws JsonError where the text is not a JSON object. */
export function withConfigDtype(text: string, { model, parts }: ConfigDtype): string {
  const scanner = new JsonScanner(text);
  const edits: Edit[] = [];
  const walk = (dtype: string): boolean => {
    let found = false;
    scanner.object('config.json', (key) => {
      const kind = scanner.kind();
      if (kind === 'object') {
        walk(parts);
        return;
      }
      const begin = scanner.at;
      scanner.skip();
      if (!KEYS.has(key) || (kind !== 'string' && kind !== 'literal')) return;
      edits.push({ begin, end: scanner.at, text: JSON.stringify(dtype) });
      found = true;
    });
    return found;
  };
  const stated = walk(model);
  const front = text.indexOf('{') + 1;
  const empty = text.slice(front).trimStart().startsWith('}');
  if (!stated)
    edits.push({ begin: front, end: front, text: `\n  "dtype": ${JSON.stringify(model)}${empty ? '\n' : ','}` });
  let edited = text;
  for (const { begin, end, text: replacement } of edits.toSorted((a, b) => b.begin - a.begin)) {
    edited = edited.slice(0, begin) + replacement + edited.slice(end);
  }
  return edited;
}
