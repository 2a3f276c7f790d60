/** No document that this package reads is a tenth as deep; what walks one by calling itself would not come back. */
const MAX_DEPTH = 100;

/** @throws Error where the text is no JSON, or is nested deeper than anything that is read here */
export function parseJson(text: string): unknown {
  const document: unknown = JSON.parse(text);
  let level: readonly unknown[] = [document];
  for (let depth = 0; level.length > 0; depth++) {
    if (depth > MAX_DEPTH) throw new Error(`it is nested more than ${MAX_DEPTH} levels deep`);
    level = level.flatMap((value) => (typeof value === 'object' && value !== null ? Object.values(value) : []));
  }
  return document;
}
