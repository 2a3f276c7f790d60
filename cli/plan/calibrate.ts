import { defaultCacheFolder } from '../../src/runtime/device/cache-folder.js';
import { EXIT } from '../common/main.js';
import { rate, ratesOf } from './list-devices.js';

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
  say(`cpu: ${ratesOf(profile.host)}, disk ${rate(profile.host.diskBytesPerSecond)}`);
  for (const gpu of profile.gpus) say(`${gpu.name}: ${ratesOf(gpu)}`);
  const file = await writeMachineFile(profile, cacheFolder);
  await forgetBlink(cacheFolder);
  say(`kept in ${file}: plans on this machine use it; --profile none ignores it`);
  process.stdout.write(`${JSON.stringify(profile, null, 2)}\n`);
  return EXIT.ok;
}
