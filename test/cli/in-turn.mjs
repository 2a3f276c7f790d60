/** Runs lines of commands one after the other, each by the file of its command loaded anew, and prints how each has ended. */
import { createRequire } from 'node:module';
import { dirname } from 'node:path';

const { lines, columns } = JSON.parse(process.argv[2]);
const require = createRequire(import.meta.url);
const env = { ...process.env };
const print = process.stdout.write.bind(process.stdout);
const finished = [];
let written;

for (const name of ['stdout', 'stderr']) {
  process[name].setMaxListeners(0);
  process[name].write = (chunk, ...others) => {
    written[name] += typeof chunk === 'string' ? chunk : Buffer.from(chunk).toString();
    const done = others.find((each) => typeof each === 'function');
    if (done !== undefined) process.nextTick(done);
    return true;
  };
}
process.stdout.columns = columns;

function next() {
  const [file, ...args] = lines[finished.length];
  written = { stdout: '', stderr: '' };
  process.exitCode = undefined;
  for (const name of Object.keys(process.env)) delete process.env[name];
  Object.assign(process.env, env);
  process.argv = [process.execPath, file, ...args];
  // With the other bundles that it is of.
  for (const known of Object.keys(require.cache)) if (dirname(known) === dirname(file)) delete require.cache[known];
  require(file);
}

// A command has ended once there is nothing left to do.
process.on('beforeExit', () => {
  if (finished.length === lines.length) return;
  if (written !== undefined) finished.push({ code: process.exitCode ?? 0, ...written });
  if (finished.length < lines.length) {
    setImmediate(next);
    return;
  }
  process.exitCode = 0;
  print(JSON.stringify(finished));
});
