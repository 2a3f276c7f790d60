const USUAL_COLUMNS = 80;

/** How wide lines may be: as `COLUMNS` says, else as the terminal is, else 80. */
export function columnsOf(stream: { readonly columns?: number }): number {
  const said = Number(process.env['COLUMNS']);
  if (Number.isSafeInteger(said) && said > 0) return said;
  return stream.columns !== undefined && stream.columns > 0 ? stream.columns : USUAL_COLUMNS;
}
