import { basename } from 'node:path';
import { createCaptioner } from '../../src/runtime/index.js';
import { CaptionServer, type Answered } from '../../src/serve/caption-server.js';
import { KeptModel } from '../../src/serve/kept-model.js';
import { reasonOf } from '../../src/errors.js';
import { command } from '../common/command.js';
import { EventLog, logFlags } from '../common/event-log.js';
import { EXIT } from '../common/main.js';
import { createParser } from '../common/parser.js';
import { budgetFlags } from '../common/plan-options.js';
import { RateLine } from '../common/rate-line.js';
import { batchSize } from '../common/batch-size.js';
import { askModel } from '../run/asked-model.js';
import { modelFlags } from '../run/model-flags.js';
import { startAhead } from '../run/start-ahead.js';
import { maxTextTokensOf, readAddress, readLimits, readOrigins, serveFlags, stopTimeoutMsOf } from './serve-flags.js';
import { textFlag } from '../common/flags.js';

const DESCRIPTION = "Captions pictures for whoever speaks OpenAI's chat completions.";

const parser = logFlags(serveFlags(budgetFlags(modelFlags(createParser('blip2-run serve', '$0', DESCRIPTION)))))
  .option('batch', {
    ...textFlag('Model:', 'pictures that are answered together; auto: as many as there is room for [default: auto]'),
    coerce: batchSize,
  })
  .example('$0 -m models/demo', 'for this machine alone: http://127.0.0.1:8000/v1')
  .example('$0 -m ./blip2-opt-2.7b --vram 6G --host 0.0.0.0 --token-file token', 'for others, who have the token')
  .epilogue(
    'SIGTERM and Ctrl-C: no more requests are taken, those that are here are answered, and the exit status is 0.',
  );

/** `blip2-run serve`: an HTTP server in front of one model. */
export const serve = command(parser, ['vram', 'image-origin'], async (args, { signal }) => {
  const log = new EventLog(args.log, args.quiet === true);
  const [address, limits] = [await readAddress(args), readLimits(args)];
  const origins = readOrigins(args['image-origin']);
  const rate = new RateLine(args.quiet !== true && args.log === 'text');
  const say = (text: string) => log.write('info', 'model', text);
  const atOnce = args.batch ?? 'auto';
  const work = { ...args, 'max-new-tokens': limits.newTokens };
  const mostTextTokens = maxTextTokensOf(args);
  const asking = { atOnce, pictures: Infinity, mostTextTokens, signal, say, rate };
  await startAhead(args);
  const { checkpoint, placed, devices } = await askModel(work, asking);

  const maxPixels = args['max-pixels'];
  const options = { ...placed, ...devices, ...(maxPixels === undefined ? {} : { maxPixels }) };
  const model = await KeptModel.start({
    batchSize: atOnce,
    maxNewTokens: limits.newTokens,
    maxTextTokens: mostTextTokens,
    open: () => createCaptioner(checkpoint, options).finally(() => rate.clear()),
    onRestart: (error) => {
      server.metrics.restarted();
      log.write('error', 'model-ended', `${reasonOf(error)}; it is started again`);
    },
  });
  const server = new CaptionServer(model, {
    limits,
    token: address.token,
    modelName: args.name ?? basename(checkpoint.folder),
    textUse: args.text,
    fetching: { origins, limitBytes: limits.bodyBytes, timeoutMs: limits.bodyMs },
    onAnswered: (answered) => logAnswer(log, answered),
  });
  await using running = model;
  const { address: host, port, family } = await server.listen(address.port, address.host);
  const url = `http://${family === 'IPv6' ? `[${host}]` : host}:${port}/v1`;
  log.write('info', 'listening', `listening on ${url}`, { url });

  const interrupted = new Promise<null>((resolve) => {
    if (signal.aborted) resolve(null);
    signal.addEventListener('abort', () => resolve(null), { once: true });
  });
  const lost = await Promise.race([interrupted, running.lost.then((error) => ({ error }))]);
  log.write('info', 'stopping', 'answering what is here, then ending');
  await server.stop(lost === null ? stopTimeoutMsOf(args) : 0);
  if (lost !== null) throw lost.error;
  // It was asked to end, and has.
  process.exitCode = EXIT.ok;
  return EXIT.ok;
});

function logAnswer(log: EventLog, { error, ...answered }: Answered): void {
  const { method, path, status, code, ms } = answered;
  const fields = { ...answered, ms: Math.round(ms) };
  const text = `${method} ${path} ${status}${code === null ? '' : ` ${code}`} ${fields.ms} ms`;
  if (error === null) log.write('info', 'request', text, fields);
  else log.write('error', 'request', `${text}: ${reasonOf(error)}`, { ...fields, reason: reasonOf(error) });
}
