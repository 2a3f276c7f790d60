/** What `from_pretrained` takes for a checkpoint that was named by a folder, a file of one, an address or a name on the hub. */
export interface NamedSource {
  readonly model: string;
  /** The part of its files' names by which they are found; null for none. */
  readonly variant: string | null;
  readonly revision: string | null;
}

interface NamedCheckpoint {
  readonly id: string;
  readonly files: readonly string[];
  readonly revision?: string | null;
}

const ADDRESS = /^https?:\/\/[^/]+\/([^/]+\/[^/]+)\/resolve\/([^/]+)\/[^/]+$/;
/** A shard or an index, of which `from_pretrained` wants the folder. */
const FILE = /^(?:(.*)[/\\])?[^/\\]+\.safetensors(?:\.index(?:\.[^.]+)?\.json)?$/;
const VARIANT = /^model(?:\.([^.]+?)(?:-\d+-of-\d+)?|-\d+-of-\d+\.([^.]+))\.safetensors$/;

export function namedSource({ id, files, revision = null }: NamedCheckpoint): NamedSource {
  const variants = new Set(
    files.map((name) => {
      const [, first, second] = VARIANT.exec(name) ?? [];
      return first ?? second ?? null;
    }),
  );
  const [only = null] = variants;
  const variant = variants.size === 1 ? only : null;
  const address = ADDRESS.exec(id);
  if (address !== null) return { model: address[1] ?? id, variant, revision: decodeURIComponent(address[2] ?? 'main') };
  const file = FILE.exec(id);
  return { model: file === null ? id : (file[1] ?? '.'), variant, revision };
}
