import { verifyCheckpoint } from '../../src/loader/index.js';
import { command } from '../common/command.js';
import { EXIT } from '../common/main.js';
import { counted } from '../common/counted.js';
import { hubOptions } from '../common/hub-flags.js';
import { RateLine } from '../common/rate-line.js';
import { plainSwitch } from '../common/flags.js';
import { readerParser } from './shard-options.js';

const parser = readerParser('verify', 'Every rule of the format, every fault.')
  .option(
    'deep',
    plainSwitch(
      "read every byte: checksums of the hub's cache, values that are not finite; downloads a model on the hub",
    ),
  )
  .example('$0 ckpt', 'headers and index; exit status 1 where there is a fault')
  .example('$0 ckpt --deep', 'the values, too');

export const verify = command(parser, [], async (args, { signal }) => {
  const rate = new RateLine(args.quiet !== true);
  const result = await verifyCheckpoint(args.checkpoint, {
    deep: args.deep === true,
    ...hubOptions(args),
    signal,
    onProgress: (done, total) => rate.update(done, total),
  }).finally(() => rate.clear());
  const errors = result.findings.filter(({ severity }) => severity === 'error');
  if (args.json === true) process.stdout.write(`${JSON.stringify({ ok: errors.length === 0, ...result })}\n`);
  else
    for (const { severity, code, message } of result.findings)
      process.stdout.write(`${severity}: ${message} [${code}]\n`);
  if (args.quiet !== true) {
    const sound =
      errors.length === 0
        ? `sound: ${result.tensors} tensors in ${result.files} files`
        : counted(errors.length, 'error');
    process.stderr.write(`${sound}, ${result.findings.length - errors.length} warnings\n`);
  }
  return errors.length === 0 ? EXIT.ok : EXIT.failed;
});
