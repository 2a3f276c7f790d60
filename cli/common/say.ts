/** Writes lines to stderr, or none for `--quiet`. */
export function sayer(quiet: boolean | undefined): (text: string) => void {
  return (text) => {
    if (quiet !== true) process.stderr.write(`${text}\n`);
  };
}
