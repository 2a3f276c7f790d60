/** No document that this package reads is a tenth as deep; what walks one by calling itself would not come back. */
const MAX_DEPTH = 100;

/** Strings, and the three numbers that Python's json writes and reads although JSON has none. */
const STRINGS_AND_CONSTANTS = /"[^"\\]*(?:\\[^][^"\\]*)*(?:"|$)|\bNaN\b|\bInfinity\b/g;

/**
 * Reads JSON as Python writes it: configurations of Mamba's kind hold `Infinity`. What is `NaN` becomes null.
 * @throws Error where the text is no JSON, or is nested deeper than anything that is read here
 */
export function parseJson(text: string): unknown {
  const document = parsePythonJson(text);
  let level: readonly unknown[] = [document];
  for (let depth = 0; level.length > 0; depth++) {
    if (depth > MAX_DEPTH) throw new Error(`it is nested more than ${MAX_DEPTH} levels deep`);
    level = level.flatMap((value) => (typeof value === 'object' && value !== null ? Object.values(value) : []));
  }
  return document;
}

/** The text with other words in place of Python's `NaN` and `Infinity`. */
export function withoutPythonConstants(text: string, word: (constant: string) => string): string {
  return text.replaceAll(STRINGS_AND_CONSTANTS, (found) => (found.startsWith('"') ? found : word(found)));
}

function parsePythonJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch (error) {
    // A number that is too large is infinite to JSON.parse.
    const plain = withoutPythonConstants(text, (constant) => (constant === 'NaN' ? 'null' : '1e999'));
    if (plain === text) throw error;
    return JSON.parse(plain) as unknown;
  }
}

/** What Python's json reads in it; undefined where the text is no JSON. */
export function jsonOrUndefined(text: string): unknown {
  try {
    return parsePythonJson(text);
  } catch {
    return undefined;
  }
}
