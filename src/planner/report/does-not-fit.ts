import { errorText, option } from '../../error-text.js';
import { Blip2Error } from '../../errors.js';
import type { Infeasible } from '../plan/choice/infeasible.js';
import { formatSize } from '../../size.js';
import { formatMs } from './format-ms.js';

/** `DOES_NOT_FIT` (`SEARCH_STOPPED` where that is not certain), for callers that go no further without a plan: what is short, what to type instead, and the result. */
export function doesNotFit(result: Infeasible): Blip2Error {
  if (!result.proven) return stoppedSearch(result);
  const remedies = result.remedies.map(({ flag, addedBytes, latencyMs }) => {
    const notes = [
      ...(addedBytes > 0 ? [`${formatSize(addedBytes)} more`] : []),
      ...(latencyMs === null ? [] : [`about ${formatMs(latencyMs)} a call`]),
    ];
    return notes.length === 0 ? flag : `${flag} (${notes.join(', ')})`;
  });
  return new Blip2Error('DOES_NOT_FIT', `does not fit: ${shortfall(result)}`, {
    hint:
      remedies.length === 0 ? 'No change of one budget makes it fit.' : `Works as asked: ${remedies.join(', or ')}.`,
    details: { ...result },
  });
}

/** What is asked beside what there is. */
export function shortfall(result: Infeasible): string {
  if (!result.proven) return `the search ended before it found a placement within ${offers(result)}`;
  const short = result.shortBytes > 0 ? `, ${formatSize(result.shortBytes)} short` : `: ${besideThem(result)}`;
  return `weights and caches take ${formatSize(result.neededBytes)}, the budgets are ${offers(result)}${short}`;
}

/** What is short where the sum of weights and caches is not. */
export function besideThem({ activationBytes }: Infeasible): string {
  return (
    `what else each device needs, for activations (up to ${formatSize(activationBytes)}), streaming and its driver, ` +
    'does not fit beside them, or not where they have to lie'
  );
}

function stoppedSearch(result: Infeasible): Blip2Error {
  return new Blip2Error('SEARCH_STOPPED', shortfall(result), {
    hint: errorText`Allow more time (${option('timeLimitMs')}) or more memory.`,
    details: { ...result },
  });
}

function offers({ devices }: Infeasible): string {
  return devices
    .filter(({ id, budgetBytes }) => id !== 'disk' || budgetBytes !== 0)
    .map(({ id, budgetBytes, overheadBytes, reserveBytes }) => {
      const name = typeof id === 'number' ? `gpu${id}` : id;
      const overhead = overheadBytes > 0 ? `, ${formatSize(overheadBytes)} of it taken by the engine` : '';
      const reserve = reserveBytes > 0 ? `, ${formatSize(reserveBytes)} of it reserved` : '';
      return `${name} ${budgetBytes === null ? 'no limit' : formatSize(budgetBytes)}${overhead}${reserve}`;
    })
    .join(', ');
}
