import { usageError } from './main.js';

/** Node's timers end above 24 days. */
const MOST = 2_000_000;

/** For `coerce`: seconds such as `20`, `0.5` or `20s`. */
export function seconds(flag: string, most = MOST): (value: unknown) => number | undefined {
  return (value) => {
    if (value === undefined) return undefined;
    const text = typeof value === 'string' ? value.trim().replace(/s$/, '') : '';
    const number = text === '' ? Number.NaN : Number(text);
    if (number > 0 && number <= most) return number;
    throw usageError(`--${flag} takes seconds, above 0 and at most ${most}, not ${JSON.stringify(value)}`);
  };
}
