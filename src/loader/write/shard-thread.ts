/** A thread that makes stretches of a new file until there are none left. Errors end it: see `stretch-queue.ts`. */
import { closeSync, openSync, readSync, writeSync } from 'node:fs';
import { workerData } from 'node:worker_threads';
import { StretchMaker, type ReadRequest, type WriteRequest } from './make-stretch.js';
import type { ThreadData } from './shard-threads.js';
import { StretchQueue } from './stretch-queue.js';
import { StretchSums } from './stretch-sums.js';
import { stretches } from './stretches.js';

const { fd, layout, tensors, stretchBytes, memory, sums: sumMemory, thread } = workerData as ThreadData;
const queue = new StretchQueue(memory);
const list = [...stretches(layout, tensors, stretchBytes)];
const sums = sumMemory === null ? null : new StretchSums(list, layout.front.length, sumMemory);
const maker = new StretchMaker(stretchBytes);
const files = new Map<string, number>();

function read({ file, position, into }: ReadRequest): void {
  const source = files.get(file) ?? openSync(file, 'r');
  files.set(file, source);
  for (let done = 0; done < into.length;) {
    const count = readSync(source, into, done, into.length - done, position + done);
    // The first thread meets the same end, and says so.
    if (count === 0) throw new RangeError(`${file} ends at ${position + done}`);
    done += count;
  }
}

function write({ bytes, position }: WriteRequest): void {
  for (let done = 0; done < bytes.length;) done += writeSync(fd, bytes, done, bytes.length - done, position + done);
  queue.addWritten(thread, bytes.length);
}

for (let index = queue.takeInHand(thread); index !== null; index = queue.takeInHand(thread)) {
  const stretch = list[index];
  if (stretch === undefined) break;
  const making = maker.make(stretch);
  let step = making.next();
  for (; step.done !== true; step = making.next()) read(step.value);
  sums?.add(index, step.value);
  queue.setOverflowed(index, maker.overflowed);
  for (const request of step.value) write(request);
}
for (const file of files.values()) closeSync(file);
