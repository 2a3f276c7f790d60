/** Columns of a text. Help is ASCII, so that no tables of wide characters and no emoji patterns are needed. */
export default function plainWidth(text) {
  return [...text].length;
}
