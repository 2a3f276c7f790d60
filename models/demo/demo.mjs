/**
 * The tour that `npm run demo` gives: plan the checkpoint beside this file for a small GPU, caption the pictures with
 * that map, ask a question about one. Every step is a command that can be typed as it is printed.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const scratch = mkdtempSync(join(tmpdir(), 'blip2-demo-'));
const map = join(scratch, 'map.json');

try {
  const planned = run('blip2-plan', ['models/demo', '--vram', '5M'], { saveAs: map });
  console.log(planned);
  run('blip2-run', ['models/demo/pictures', '--model', 'models/demo', '--plan', map, '--emulate-gpu', '--max-new-tokens', '30']);
  run('blip2-run', [
    'models/demo/pictures/shape-00.png',
    ...['--model', 'models/demo', '--plan', map, '--emulate-gpu'],
    ...['--question', 'how big is the ring?'],
  ]);
} finally {
  rmSync(scratch, { recursive: true, force: true });
}

/** Prints the command, runs it, and returns what it wrote to the file that its stdout goes to, if any. */
function run(command, args, { saveAs } = {}) {
  const typed = [command, ...args].map((word) => (/[^\w./-]/.test(word) ? `"${word}"` : word)).join(' ');
  console.log(`\n$ npx ${typed}${saveAs === undefined ? '' : ` > ${saveAs}`}`);
  const script = fileURLToPath(new URL(`../../dist/cli/${command}.js`, import.meta.url));
  const stdout = saveAs === undefined ? 'inherit' : 'pipe';
  const done = spawnSync(process.execPath, [script, ...args], { stdio: ['ignore', stdout, 'inherit'] });
  if (done.status !== 0) process.exit(done.status ?? 1);
  if (saveAs === undefined) return '';
  writeFileSync(saveAs, done.stdout);
  return readFileSync(saveAs, 'utf8').trimEnd();
}
