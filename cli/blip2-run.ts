#!/usr/bin/env node
/** `blip2-run`: has the process of its model started, and the driver of its card, and only then reads the command itself, `run-command.ts`, a bundle of its own. */
import { createRequire } from 'node:module';
import { forkEarly } from './run/fork-early.js';

const card = forkEarly(process.argv.slice(2));
// Not import(), which would look through the whole bundle for its exports.
const read = createRequire(import.meta.url);
if (card !== undefined) readIfAllowed('./driver-early.js');
read('./run-command.js');

/** Node loads no native library where it was told so: whoever needs one says it. */
function readIfAllowed(file: string): void {
  try {
    read(file);
  } catch {
    // The driver starts when it is asked.
  }
}
