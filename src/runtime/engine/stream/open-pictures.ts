import type { CaptionHooks, Outcome } from '../captioner-options.js';
import type { NotFinite } from '../../generation/not-finite.js';
import { OpenSequences, type FinishedPicture } from '../../generation/open-sequences.js';
import type { TokenEvent } from '../../generation/generation-request.js';
import type { RollingSource } from '../../generation/rolling-source.js';
import type { AnswerStream } from '../text/answer-stream.js';
import type { PromptBatch } from '../text/prompts.js';
import { notFiniteOutcome } from './not-finite-outcome.js';
import { steppedSettings } from './own-settings.js';
import { promptTokens } from './prompts-together.js';
import { streamOf, type Numbered } from './numbered-picture.js';
import type { CaptionStreamParts, Encoded } from './stream-settings.js';

interface Admitted<Given extends Numbered> {
  readonly picture: Encoded<Given>;
  readonly beganMs: number;
  /** Of each of its answers, where it is told or may end it. */
  readonly texts: AnswerStream[];
}

/** Pictures whose answers grow, each from its rows for the language model to its outcome. */
export class OpenPictures<Given extends Numbered, Prompt> {
  readonly #parts: CaptionStreamParts;
  readonly #onToken: CaptionHooks['onToken'];
  readonly #open: OpenSequences<Prompt>;
  readonly #admitted = new Map<number, Admitted<Given>>();
  readonly #failures: Outcome[] = [];

  constructor(source: RollingSource<Prompt>, parts: CaptionStreamParts, { signal, onToken }: CaptionHooks) {
    this.#parts = parts;
    this.#onToken = onToken;
    this.#open = new OpenSequences(source, {
      ...(signal && { signal }),
      onToken: (token) => this.#tell(token),
      endsAt: (token) => this.#endsAt(token),
      onNotFinite: (index, where) => this.#fail(index, where),
    });
  }

  get count(): number {
    return this.#admitted.size;
  }

  /** @param batch the prompts of the group, in its order, of which `prompt` is made */
  async admit(
    group: readonly Encoded<Given>[],
    { contextIds }: Pick<PromptBatch, 'contextIds'>,
    prompt: Prompt,
  ): Promise<Outcome[]> {
    const beganMs = performance.now();
    for (const picture of group) this.#admitted.set(picture.given.index, { picture, beganMs, texts: [] });
    const finished = await this.#open.admit({
      prompt,
      contextIds,
      pictures: group.map(({ given }) => given.index),
      randomStreams: group.map(({ given }) => streamOf(given)),
      settings: group.map(({ made }) => steppedSettings(made.settings)),
    });
    return this.#ended(finished);
  }

  /** One token more for all. Those whose work was ended by their own signal are left out from here on. */
  async step(): Promise<Outcome[]> {
    for (const { given } of [...this.#admitted.values()].map(({ picture }) => picture)) {
      if (given.signal?.aborted !== true) continue;
      this.#open.drop(given.index);
      this.#admitted.delete(given.index);
      this.#failures.push({ status: 'failed', index: given.index, error: given.signal.reason });
    }
    return this.#ended(this.#open.count === 0 ? [] : await this.#open.step());
  }

  #ended(finished: readonly FinishedPicture[]): Outcome[] {
    const captioned = finished.map(({ picture: index, sequences }): Outcome => {
      const { picture, beganMs } = this.#of(index);
      this.#admitted.delete(index);
      const { preparedMs, imageMs } = picture;
      const course = {
        promptTokens: promptTokens(picture.made, this.#parts.config),
        timing: { pixelsMs: preparedMs, imageMs, generateMs: performance.now() - beganMs },
      };
      return { status: 'captioned', caption: this.#parts.captionOf(index, sequences, course) };
    });
    return [...captioned, ...this.#failures.splice(0)];
  }

  #fail(index: number, where: NotFinite): void {
    this.#failures.push(notFiniteOutcome(index, where, this.#of(index).picture.rows));
    this.#admitted.delete(index);
  }

  async #tell({ picture: index, sequence, id }: TokenEvent): Promise<void> {
    const { picture, texts } = this.#of(index);
    const { tellsTokens = true, stopTexts } = picture.given;
    const onToken = tellsTokens ? this.#onToken : undefined;
    if (onToken === undefined && stopTexts === undefined) return;
    const text = (texts[sequence] ??= this.#parts.answerStream()).push(id);
    await onToken?.({ index, answer: sequence, id, text });
  }

  #endsAt({ picture: index, sequence }: TokenEvent): boolean {
    const { picture, texts } = this.#of(index);
    const text = texts[sequence]?.text ?? '';
    return picture.given.stopTexts?.some((stop) => text.includes(stop)) === true;
  }

  #of(index: number): Admitted<Given> {
    const admitted = this.#admitted.get(index);
    if (admitted === undefined) throw new Error(`picture ${index} has not begun`);
    return admitted;
  }
}
