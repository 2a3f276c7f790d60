import { existsSync } from 'node:fs';
import { forkAhead } from '../../src/runtime/captioner/process/fork-model.js';
import { likelyCard } from '../../src/runtime/placement/likely-card.js';
import { readBudgets } from '../common/plan-options.js';
import type { ModelArgs } from './asked-model.js';

/**
 * Starts the process of the one model that a command will have while its checkpoint is opened, with the CUDA card that it is likely to use; and
 * CUDA's driver in this process, which planning asks for its cards. Not for a checkpoint that may have to be downloaded first.
 */
export async function startAhead(args: ModelArgs): Promise<void> {
  if (!existsSync(args.model)) return;
  const { provider, vram } = args;
  const budgets = vram === undefined ? undefined : readBudgets(args);
  const isSaid = args.plan === undefined && (budgets !== undefined || provider === 'cuda');
  const card = isSaid
    ? likelyCard({ provider, emulateGpu: args['emulate-gpu'] === true, ...(budgets === undefined ? {} : { budgets }) })
    : undefined;
  if (card === undefined || !(await startDriver())) return forkAhead(undefined);
  forkAhead(card);
}

/** @returns whether there is a CUDA provider for it */
async function startDriver(): Promise<boolean> {
  const { hasCudaLibrary } = await import('../../src/runtime/device/ort/cuda-library.js');
  if (!hasCudaLibrary()) return false;
  const { CudaDriver } = await import('../../src/runtime/device/memory/cuda-driver.js');
  CudaDriver.startAside();
  return true;
}
