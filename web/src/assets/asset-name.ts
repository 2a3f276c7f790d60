/** `models.js` and `highs.js`: what the page is read with where it is needed. */
export type AssetName = 'models' | 'highs';
