import { stat } from 'node:fs/promises';

/** Whether something of this name can be seen; links are followed. */
export function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}
