export interface InputOptions {
  /** The paths that an argument stands for: a file itself, a folder's pictures, a list's lines. */
  readonly expand: (argument: string) => Promise<readonly string[]>;
  /** Field of JSONL rows that holds the path. Default: the first of `file_name`, `path`, `image`, `image_path`, `url`. */
  readonly pathField?: string | undefined;
  /** Column of Parquet files that holds the pictures. Default: the one that says so, or is of that shape. */
  readonly imageColumn?: string | undefined;
  /** Folder that relative paths inside JSONL and Parquet files are relative to. Default: the file's own folder. */
  readonly imageRoot?: string | undefined;
}
