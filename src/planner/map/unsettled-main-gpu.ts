/**
 * Whether it changes from process to process which GPU streams what a map has on none: accelerate takes the first of a Python set of
 * the map's values, whose order is settled for numbers, and not for "cuda:0" and "cuda:1".
 * @param json a device map as it was written
 */
export function hasUnsettledMainGpu(json: unknown): boolean {
  const devices = new Set<unknown>(typeof json === 'object' && json !== null ? Object.values(json) : []);
  const named = [...devices].filter((device) => typeof device === 'string' && device.startsWith('cuda'));
  return named.length > 1 && (devices.has('cpu') || devices.has('disk'));
}
