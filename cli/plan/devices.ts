import { EXIT, type CommandContext } from '../common/main.js';
import { createParser, parseArgs } from '../common/parser.js';
import { deviceTable, listDevices } from './list-devices.js';
import { switchFlag } from '../common/flags.js';

const parser = createParser('blip2-plan devices', '$0', 'What blip2-run can use on this machine, and how fast it is.')
  .option('json', switchFlag('Output:', 'the devices, and errors, as JSON'))
  .example('$0', 'a line per device, and one for what was measured of it')
  .example('$0 --json', 'for programs');

/** `blip2-plan devices`. */
export async function devices({ argv }: CommandContext): Promise<number> {
  const args = await parseArgs(parser, argv);
  return args === null ? EXIT.ok : answerDevices(args.json === true);
}

export async function answerDevices(asJson: boolean): Promise<number> {
  const listed = await listDevices();
  process.stdout.write(`${asJson ? JSON.stringify(listed, null, 2) : deviceTable(listed)}\n`);
  return EXIT.ok;
}
