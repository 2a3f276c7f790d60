import { defaultCacheFolder } from '../../src/runtime/cache-folder.js';
import { EXIT } from '../common/main.js';

/** Measures this machine, keeps the profile for later plans, and prints it on stdout. */
export async function calibrate(quiet: boolean, signal: AbortSignal): Promise<number> {
  // Only here, because these load native libraries.
  const { calibrateMachine } = await import('../../src/runtime/calibrate/calibrate-machine.js');
  const { forgetBlink } = await import('../../src/runtime/calibrate/blink-file.js');
  const { writeMachineFile } = await import('../../src/runtime/calibrate/machine-file.js');
  const say = (text: string): void => {
    if (!quiet) process.stderr.write(`${text}\n`);
  };
  const cacheFolder = defaultCacheFolder();
  const profile = await calibrateMachine({ cacheFolder, signal, onPart: (part) => say(`measuring ${part}`) });
  const { memoryBytesPerSecond, flopsPerSecond, leafMs, diskBytesPerSecond } = profile.host;
  say(
    `cpu: ${rate(memoryBytesPerSecond)} of weights, ${tera(flopsPerSecond)}, ${leafMs} ms a module, disk ${rate(diskBytesPerSecond)}`,
  );
  for (const { name, memoryBytesPerSecond: memory, flopsPerSecond: flops, link } of profile.gpus) {
    say(
      `${name}: ${rate(memory)} of weights, ${tera(flops.float16)} in float16, link ${rate(link.bytesPerSecond)} and ${link.latencyMs} ms`,
    );
  }
  const file = await writeMachineFile(profile, cacheFolder);
  await forgetBlink(cacheFolder);
  say(`kept in ${file}: plans on this machine use it; --profile none ignores it`);
  process.stdout.write(`${JSON.stringify(profile, null, 2)}\n`);
  return EXIT.ok;
}

function rate(bytesPerSecond: number): string {
  return `${(bytesPerSecond / 1e9).toPrecision(3)} GB/s`;
}

function tera(flopsPerSecond: number): string {
  return `${(flopsPerSecond / 1e12).toPrecision(3)} TFLOP/s`;
}
