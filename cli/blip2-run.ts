#!/usr/bin/env node
/** `blip2-run`: has the process of its model started, and only then reads the command itself, `run-command.ts`, a bundle of its own. */
import { createRequire } from 'node:module';
import { forkEarly } from './run/fork-early.js';

forkEarly(process.argv.slice(2));
// Not import(), which would look through the whole bundle for its exports.
createRequire(import.meta.url)('./run-command.js');
