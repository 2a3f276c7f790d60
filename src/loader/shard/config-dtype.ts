/**
 * The dtype that a config.json states, changed in its text: the rest of the file stays as it was written, numbers too.
 *
 * transformers 5 loads the whole model in the dtype at the top, but for modules that it keeps in float32, whatever the parts'
 * configurations say. Its own `save_pretrained` writes the dtype of the first parameter there, which in a float16 BLIP-2 is
 * one of those kept in float32: such a file is loaded as float32. Files from before version 5 call it `torch_dtype`.
 */
import { JsonScanner } from '../format/json-scanner.js';
import { withoutPythonConstants } from '../format/parse-json.js';

const KEYS: ReadonlySet<string> = new Set(['dtype', 'torch_dtype']);
/** What these say of dtypes is of packed weights and of how they are used, which stay as they are. */
const OF_PACKED: ReadonlySet<string> = new Set(['quantization_config', 'compression_config']);

interface Edit {
  readonly begin: number;
  readonly end: number;
  readonly text: string;
}

/**
 * @param dtype such as `float16`
 * @throws JsonError where the text is not a JSON object.
 */
export function withConfigDtype(text: string, dtype: string): string {
  // As long as the text itself, whose places the edits mean.
  const scanner = new JsonScanner(withoutPythonConstants(text, (constant) => '1'.repeat(constant.length)));
  const edits: Edit[] = [];
  const walk = (): boolean => {
    let found = false;
    scanner.object('config.json', (key) => {
      const kind = scanner.kind();
      if (kind === 'object' && !OF_PACKED.has(key)) {
        walk();
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
  const stated = walk();
  const front = text.indexOf('{') + 1;
  const empty = text.slice(front).trimStart().startsWith('}');
  if (!stated)
    edits.push({ begin: front, end: front, text: `\n  "dtype": ${JSON.stringify(dtype)}${empty ? '\n' : ','}` });
  let edited = text;
  for (const { begin, end, text: replacement } of edits.toSorted((a, b) => b.begin - a.begin)) {
    edited = edited.slice(0, begin) + replacement + edited.slice(end);
  }
  return edited;
}
