/** `owner/name`, as the hub names repositories; a path has more. */
export function isHubName(text: string): boolean {
  return /^[\w][\w.-]{0,95}\/[\w][\w.-]{0,95}$/.test(text) && !text.includes('..');
}
