/**
 * The contrastive score of a picture and a text, from their unit vectors: the best cosine over the picture's.
 * @param image from `embedImage`
 * @param text the `vector` of `embedTexts`
 */
export function similarity(image: readonly Float32Array[], text: Float32Array): number {
  return Math.max(...image.map((vector) => vector.reduce((sum, value, i) => sum + value * (text[i] ?? Number.NaN), 0)));
}
