import { expect, it } from 'vitest';
import { found } from '../../checked-access.js';
import { KNOWN_GPUS, UNKNOWN_GPU, withContext } from './known-devices.js';

const MIB = 2 ** 20;
const h200 = found(KNOWN_GPUS, 'H200');
const counted = (card: typeof h200) =>
  [card.engines['blip2-run'], card.engines.transformers].map(({ contextBytes }) => contextBytes / MIB);

it('counts an H200 whose context takes what one took there as the table does', () => {
  expect(counted(withContext(h200, 527 * MIB))).toEqual(counted(h200));
});

it.each([
  // Of the same kind, a smaller and a larger context; of others 64 MiB more, for kernels that nobody measured.
  [found(KNOWN_GPUS, 'H100'), 500, [693, 788]],
  [h200, 600, [793, 888]],
  [found(KNOWN_GPUS, 'RTX 3060'), 120, [377, 472]],
  [UNKNOWN_GPU, 150, [407, 502]],
] as const)('counts libraries beside a context (%#)', (card, contextMib, expected) => {
  const measured = withContext(card, contextMib * MIB);
  expect(counted(measured)).toEqual(expected);
  // Nothing else of it changes.
  expect({ ...measured, engines: null }).toEqual({ ...card, engines: null });
});
