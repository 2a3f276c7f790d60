#!/usr/bin/env bash
# yargs 18.2.0 with a default command that names its positionals: a lone "-", by which command lines mean stdin, arrives as an
# empty string. Where positionals have no names it arrives as "-". Needs npm. Exits 1 once that has changed.
set -euo pipefail
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
cd "$scratch"
npm init -y >/dev/null
npm install --silent --ignore-scripts --no-audit --no-fund yargs@18.2.0
cat >run.mjs <<'JS'
import { createRequire } from 'node:module';
import yargs from 'yargs';
const { version } = createRequire(import.meta.url)('yargs/package.json');
console.log(`yargs ${version}, Node ${process.version}`);
const parse = (words) =>
  yargs(words)
    .command('$0 <first> [second]', 'reads two files', (y) =>
      y.positional('first', { type: 'string' }).positional('second', { type: 'string' }).option('json', { type: 'boolean' }),
    )
    .strict()
    .parse();
const { first } = parse(['-']);
const { second } = parse(['a', '--json', '-']);
const { _: unnamed } = yargs(['a', '-']).parse();
console.log(`"-" as a named positional: ${JSON.stringify(first)}`);
console.log(`"a --json -", its second positional: ${JSON.stringify(second)}`);
console.log(`"a -" without names: ${JSON.stringify(unnamed)}`);
const isAsFound = first === '' && second === '' && unnamed[1] === '-';
console.log(isAsFound ? 'as found: a lone dash is lost' : 'not as found');
process.exitCode = isAsFound ? 0 : 1;
JS
node run.mjs
