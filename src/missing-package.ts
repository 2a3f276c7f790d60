import { Blip2Error } from './errors.js';

/**
 * What an optional package that is not installed ends with.
 * @param error what import() threw; anything else than a missing package is given back as it is
 * @returns Blip2Error `PACKAGE_MISSING`
 */
export function missingPackage(error: unknown, user: string, packages: readonly string[]): unknown {
  if (!(error instanceof Error && 'code' in error && String(error.code).endsWith('MODULE_NOT_FOUND'))) return error;
  return new Blip2Error('PACKAGE_MISSING', `${user} needs packages that are not installed: ${packages.join(', ')}`, {
    hint: `npm install ${packages.join(' ')}`,
    cause: error,
  });
}
