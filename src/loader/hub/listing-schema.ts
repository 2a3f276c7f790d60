/** The answers of a hub's interface, checked before anything is named after them. */
import * as z from 'zod';

export interface ListedFile {
  /** Relative, without `..`. */
  readonly path: string;
  readonly sizeBytes: number;
  /** SHA-256 of a large file, git's SHA-1 of a small one: hexadecimal. */
  readonly hash: string;
}

/** Which commit a revision is. */
export const revisionSchema = z.looseObject({ sha: z.string().regex(/^[0-9a-f]{40}$/) });
const hash = z.string().regex(/^[0-9a-f]{40}([0-9a-f]{24})?$/);
const sizeBytes = z.number().int().nonnegative();
/** A page of the files of a commit. */
export const treeSchema = z.array(
  z.discriminatedUnion('type', [
    z.looseObject({
      type: z.literal('file'),
      path: z.string(),
      size: sizeBytes,
      oid: hash,
      lfs: z.looseObject({ oid: hash, size: sizeBytes }).nullish(),
    }),
    z.looseObject({ type: z.literal('directory') }),
  ]),
);

/** The files of a page; those whose paths leave the folder are left out. */
export function filesOf(page: z.infer<typeof treeSchema>): ListedFile[] {
  return page.flatMap((entry) => {
    if (entry.type !== 'file' || leavesFolder(entry.path)) return [];
    const { path, lfs } = entry;
    return [{ path, sizeBytes: lfs?.size ?? entry.size, hash: lfs?.oid ?? entry.oid }];
  });
}

function leavesFolder(path: string): boolean {
  return path === '' || /[\\\0]/.test(path) || path.split('/').some((part) => ['', '.', '..'].includes(part));
}
