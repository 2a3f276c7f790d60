import type { TensorInfo } from '../../../src/tensor/tensor-info.js';

/** `checkpointFingerprint` with the browser's SHA-256; null where the page is served without encryption, which has none. */
export async function headerFingerprint(tensors: ReadonlyMap<string, TensorInfo>): Promise<string | null> {
  if (!isSecureContext) return null;
  const rows = [...tensors].map(([name, { dtype, shape }]) => JSON.stringify([name, dtype, shape]));
  const digest = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(rows.toSorted().join('\n')));
  return [...new Uint8Array(digest)].map((byte) => byte.toString(16).padStart(2, '0')).join('');
}
