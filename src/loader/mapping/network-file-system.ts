import { statfs } from 'node:fs/promises';

/**
 * Types of file systems on which a page fault is a round trip: mapped weights come in pieces of 4 to 64 KiB there, and
 * some refuse mappings or stall under many faults at once. Source: linux/magic.h, statfs(2).
 */
const NETWORK_TYPES = new Map([
  [0x6969, 'NFS'],
  [0xff534d42, 'CIFS'],
  [0xfe534d42, 'SMB2'],
  [0x517b, 'SMB'],
  [0x01021997, '9p'],
  [0x65735546, 'FUSE'],
  [0x00c36400, 'Ceph'],
  [0x0bd00bd0, 'Lustre'],
]);

/** The name of the network file system that a file lies on, undefined for any other. */
export async function networkFileSystem(path: string): Promise<string | undefined> {
  if (process.platform !== 'linux') return undefined;
  const { type } = await statfs(path);
  return NETWORK_TYPES.get(type >>> 0);
}
