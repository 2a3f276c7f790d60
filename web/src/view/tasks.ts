import type { Settings } from '../settings/settings.js';

interface Task {
  readonly id: 'usual' | 'chat' | 'transcript';
  readonly label: string;
  /** null for what is usual for the model: of a BLIP-2, a caption. */
  readonly promptTokens: number | null;
  readonly newTokens: number | null;
}

export const TASKS: readonly Task[] = [
  { id: 'usual', label: 'Captions', promptTokens: null, newTokens: null },
  { id: 'chat', label: 'Chat', promptTokens: 1024, newTokens: 256 },
  { id: 'transcript', label: 'Transcript', promptTokens: 1500, newTokens: 200 },
];

/** null for numbers of one's own. */
export function taskOf({ promptTokens, newTokens }: Settings): Task['id'] | null {
  return TASKS.find((task) => task.promptTokens === promptTokens && task.newTokens === newTokens)?.id ?? null;
}
