import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { EXIT_STATUS } from '../cli/common/exit-status.js';
import { ERROR_CODES, type ErrorCode } from '../src/error-codes.js';
import { HTTP_STATUS } from '../src/serve/api/http-status.js';

const ROOT = join(import.meta.dirname, '..');
const codes = Object.keys(ERROR_CODES) as ErrorCode[];

/** Tables say what a code means and throw nothing. */
const TABLES = ['src/error-codes.ts', 'cli/common/exit-status.ts', 'src/serve/api/http-status.ts'];

const sources = ['src', 'cli', 'web/src']
  .flatMap((folder) =>
    readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' }).map((file) => join(folder, file)),
  )
  .filter((file) => /(?<!\.test)\.tsx?$/.test(file) && !TABLES.includes(file))
  .map((file) => readFileSync(join(ROOT, file), 'utf8'));

/** The strings of a source that are handed on: what is compared, or stands in a type, is none. */
const handedOn = (source: string): string[] =>
  [...source.matchAll(/(?<=[(?:,]\s*)'([A-Z][A-Z_]+)'/g)].flatMap(([, text = '']) => text);

describe('error codes', () => {
  it('are all given to some error', () => {
    const given = new Set(sources.flatMap(handedOn));
    expect(codes.filter((code) => !given.has(code))).toEqual([]);
  });

  it('are the ones that docstrings name', () => {
    const named = sources.flatMap((source) =>
      [...source.matchAll(/@throws[^@]*?(?=\*\/|@)/g)].flatMap(([text]) =>
        [...text.matchAll(/`([A-Z]\w{4,})`/g)].map(([, name = '']) => name),
      ),
    );
    expect(named.length).toBeGreaterThan(100);
    const isDeclared = (name: string) =>
      sources.some((source) => source.includes(`const ${name}`) || source.includes(`type ${name}`));
    expect(named.filter((name) => !codes.some((code) => code === name) && !isDeclared(name))).toEqual([]);
  });

  it('have one spelling', () => {
    expect(codes.filter((code) => !/^[A-Z]+(_[A-Z]+)*$/.test(code))).toEqual([]);
  });

  it('stand in the documents as they are', () => {
    const rows = readFileSync(join(ROOT, 'docs/errors.md'), 'utf8')
      .split('\n')
      .map((line) => line.split(/(?<!\\)\|/).map((cell) => cell.trim()))
      .flatMap(([, code = '', ...cells]) => (code.startsWith('`') ? [[code, ...cells.slice(0, 3)]] : []));
    const table = codes.map((code) => [
      `\`${code}\``,
      String(EXIT_STATUS[code]),
      String(HTTP_STATUS[code] ?? ''),
      ERROR_CODES[code],
    ]);
    expect(rows).toEqual(table);
  });
});
