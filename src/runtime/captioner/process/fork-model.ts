/** Forks the process that holds a model: when there is one to hold, or ahead of that, while its checkpoint is opened. */
import { fork, type ChildProcess } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import type { EngineOptions, ProcessOptions } from '../../device/device-options.js';
import { CUBLAS_WORKSPACE_CONFIG, ORT_ENABLE_CUDNN_FLASH_ATTENTION } from '../../device/cuda-environment.js';
import { likelyCard } from '../../placement/likely-card.js';
import type { PlacementOptions } from '../../placement/placement.js';
import type { Request } from './messages.js';

/**
 * What keeps resident memory flat: V8 would let its young generation grow to 48 MiB in steps, and glibc would give every
 * thread a heap of its own and return none. With these the demo's process keeps 140 MB instead of 190, on two cores. A heap for
 * each core, because threads that make pixels wait for each other's: with two heaps on 16 cores beside an H200 8,192 files took 23 s, with
 * 32 heaps 20 (bench/bulk).
 */
const SEMI_SPACE_MIB = 4;
const MALLOC_ARENA_MAX = String(Math.max(2, availableParallelism()));
/** libuv's threads, which decode pictures for whoever resizes them. Its own default is 4. */
const UV_THREADPOOL_SIZE = String(Math.max(4, availableParallelism()));

export type ForkOptions = EngineOptions & PlacementOptions & Pick<ProcessOptions, 'visibleGpus'>;

interface Ahead {
  readonly child: ChildProcess;
  readonly card: number | undefined;
}

const AHEAD = Symbol.for('blip2-device-map.ahead');
/** Of the process, not of this module: what forks first and what forks a model are bundles of their own. */
const ofProcess = globalThis as { [AHEAD]?: Ahead | undefined };

/**
 * Forks the process that the next model of this one gets, if it is to see all cards. Nothing waits for it: it ends with this process. One that
 * cannot be started is not missed: its model is told so when it forks its own.
 * @param card the CUDA card that it is likely to use, which it gets ready; where it was forked already, it hears of another
 */
export function forkAhead(card: number | undefined): void {
  const before = ofProcess[AHEAD];
  if (before !== undefined) return void (card !== undefined && prepareCard(before, card));
  const child = forkedIfAllowed(card);
  if (child === undefined) return;
  child.on('error', () => undefined);
  child.unref();
  child.channel?.unref();
  // While it loads its libraries it does not see that its channel closes, and would keep whoever reads this process's stderr.
  const end = () => child.kill('SIGKILL');
  process.once('exit', end);
  child.once('exit', () => process.off('exit', end));
  ofProcess[AHEAD] = { child, card };
}

/** Node's permission model, among others, has fork throw. */
function forkedIfAllowed(card: number | undefined): ChildProcess | undefined {
  try {
    return forked(card, undefined);
  } catch {
    return undefined;
  }
}

function prepareCard({ child, card: known }: Ahead, card: number): void {
  if (card === known || !child.connected) return;
  child.send({ kind: 'card', card } satisfies Request);
  ofProcess[AHEAD] = { child, card };
}

/** The process that was forked ahead, or a new one. */
export function forkModel(options: ForkOptions): ChildProcess {
  const card = likelyCard(options);
  const ready = ofProcess[AHEAD];
  ofProcess[AHEAD] = undefined;
  if (ready === undefined) return forked(card, options.visibleGpus);
  const { child } = ready;
  if (options.visibleGpus !== undefined || !child.connected || child.exitCode !== null || child.signalCode !== null) {
    child.kill('SIGKILL');
    return forked(card, options.visibleGpus);
  }
  if (card !== undefined && card !== ready.card) child.send({ kind: 'card', card } satisfies Request);
  return child;
}

function forked(card: number | undefined, visibleGpus: readonly number[] | undefined): ChildProcess {
  return fork(fileURLToPath(new URL('./model-host.js', import.meta.url)), card === undefined ? [] : [String(card)], {
    // The caller's own flags (a debugger's port, code on the command line) are not for this process.
    execArgv: [`--max-semi-space-size=${SEMI_SPACE_MIB}`],
    env: {
      MALLOC_ARENA_MAX,
      UV_THREADPOOL_SIZE,
      CUBLAS_WORKSPACE_CONFIG,
      ORT_ENABLE_CUDNN_FLASH_ATTENTION,
      ...process.env,
      ...visibleCards(visibleGpus),
    },
    serialization: 'advanced',
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  });
}

/** Cards are numbered as the caller sees them, who may see few of them himself. */
function visibleCards(gpus: readonly number[] | undefined): { CUDA_VISIBLE_DEVICES?: string } {
  if (gpus === undefined) return {};
  const seen = process.env['CUDA_VISIBLE_DEVICES']?.split(',');
  return { CUDA_VISIBLE_DEVICES: gpus.map((gpu) => seen?.[gpu] ?? String(gpu)).join(',') };
}
