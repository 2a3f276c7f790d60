import { defaultCacheFolder } from '../../src/runtime/device/cache-folder.js';
import { EXIT, type CommandContext } from '../common/main.js';
import { createParser, parseArgs } from '../common/parser.js';
import { rate, ratesOf } from './list-devices.js';
import { switchFlag } from '../common/flags.js';

const parser = createParser('blip2-plan calibrate', '$0', 'Measures this machine for later plans (under 20 s).')
  .option('json', switchFlag('Output:', 'errors as JSON; the profile always is'))
  .option('quiet', { ...switchFlag('Output:', 'nothing on stderr but errors'), alias: 'q' })
  .example('$0', 'later plans on this machine go by it')
  .example('$0 -q > node7.json', 'for plans elsewhere: blip2-plan --vram 24G --profile node7.json')
  .epilogue('What blip2-run measures in a moment by itself counts where this was never done.');

/** `blip2-plan calibrate`. */
export async function calibrate({ argv, signal }: CommandContext): Promise<number> {
  const args = await parseArgs(parser, argv);
  return args === null ? EXIT.ok : answerCalibration(args.quiet === true, signal);
}

/** Measures this machine, keeps the profile for later plans, and prints it on stdout. */
export async function answerCalibration(quiet: boolean, signal: AbortSignal): Promise<number> {
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
