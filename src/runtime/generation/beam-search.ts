/**
 * Beam search as `generate` of transformers 5 does it, so that ids and scores are equal.
 *
 * A picture keeps `beams` running sequences and a pool of as many finished ones. Each step looks at the best candidates
 * over all running sequences and the whole vocabulary, enough of them that `beams` can run on even when every stop id of
 * every beam is among them. Finished candidates count only if they are among the first `beams`. A picture is done when
 * its running sequences can no longer improve its pool; it then leaves the batch. Scores are float32, as there.
 */
import type { GeneratedSequence, GenerationHooks, GenerationRequest } from './generation-request.js';
import type { GenerationSettings, Strategy } from './generation-options.js';
import { beamScores, type BeamScores } from './beam-scores.js';
import { applyLogitsRules } from './logits-rules.js';
import { notFiniteError } from './not-finite.js';
import { idAt } from './score-row.js';
import type { TokenSource } from './token-source.js';

type BeamSettings = GenerationSettings & { readonly strategy: Extract<Strategy, { kind: 'beam' }> };

/** What transformers adds to the score of a sequence that must not be chosen. */
const NEVER = -1e9;

interface RunningBeam {
  /** Context and new ids. */
  readonly ids: readonly number[];
  readonly score: number;
  /** Row of the last logits that continues this sequence. */
  readonly row: number;
}

interface PoolEntry {
  readonly sequence: GeneratedSequence;
  readonly score: number;
  readonly finished: boolean;
}

interface Candidate {
  readonly parent: RunningBeam;
  readonly id: number;
  readonly score: number;
  /** Whether this token ends the sequence, by a stop id or by length. */
  readonly ends: 'stop' | 'length' | null;
}

interface PictureSearch {
  readonly picture: number;
  readonly contextLength: number;
  readonly running: readonly RunningBeam[];
  readonly pool: readonly PoolEntry[];
}

export async function searchBeams(
  source: TokenSource,
  request: GenerationRequest,
  settings: BeamSettings,
  { signal, onNotFinite }: GenerationHooks,
): Promise<GeneratedSequence[][]> {
  const { beams, returned } = settings.strategy;
  const results: GeneratedSequence[][] = request.contextIds.map(() => []);
  let searches = request.contextIds.map((context, picture) => startSearch(context, picture, beams));
  signal?.throwIfAborted();
  const steps = beamScores(source, settings);
  let scores = await steps.prefill();
  for (;;) {
    const next: PictureSearch[] = [];
    for (const search of searches) {
      const outcome = step(search, scores, settings);
      if (outcome === null) {
        const where = { newTokens: newTokensOf(search) };
        source.clear?.([...new Set(search.running.map(({ row }) => row))]);
        if (onNotFinite === undefined) throw notFiniteError(where);
        onNotFinite(search.picture, where);
        continue;
      }
      const { search: after, done } = outcome;
      if (done) results[search.picture] = after.pool.slice(0, returned).map((entry) => entry.sequence);
      else next.push(after);
    }
    if (next.length === 0) return results;
    signal?.throwIfAborted();
    const running = next.flatMap((search) => search.running);
    scores = await steps.advance(
      running.map(({ ids }) => ids.at(-1) ?? -1),
      running.map(({ row }) => row),
    );
    searches = next.map(({ picture, contextLength, pool, running: own }, index) => ({
      picture,
      contextLength,
      pool,
      running: own.map(({ ids, score }, i) => ({ ids, score, row: index * beams + i })),
    }));
  }
}

function startSearch(context: readonly number[], picture: number, beams: number): PictureSearch {
  const empty: PoolEntry = { sequence: { ids: [], finish: 'length', score: NEVER }, score: NEVER, finished: false };
  return {
    picture,
    contextLength: context.length,
    // All beams start alike and share one row of logits; only the first may be chosen from, or all would stay alike.
    running: Array.from({ length: beams }, (_, i) => ({ ids: context, score: i === 0 ? 0 : NEVER, row: picture })),
    pool: Array.from({ length: beams }, () => empty),
  };
}

/** New tokens of the running sequences, which have all the same number. */
function newTokensOf({ running, contextLength }: PictureSearch): number {
  return (running[0]?.ids.length ?? 0) - contextLength;
}

/** null where the logits of a running sequence are not finite. */
function step(
  search: PictureSearch,
  scores: BeamScores,
  settings: BeamSettings,
): { search: PictureSearch; done: boolean } | null {
  const { beams, lengthPenalty, earlyStopping } = settings.strategy;
  const newTokens = newTokensOf(search) + 1;
  const candidates = bestCandidates(search, scores, settings);
  if (candidates === null) return null;
  const running = best(
    candidates.map(({ parent, id, score, ends }) => ({
      ids: [...parent.ids, id],
      score: Math.fround(score + (ends ? NEVER : 0)),
      row: parent.row,
    })),
    beams,
  );
  const divisor = Math.fround(newTokens ** lengthPenalty);
  const entries = candidates.map(({ parent, id, score, ends }, rank): PoolEntry => {
    const finished = ends !== null && rank < beams;
    const normalized = Math.fround(score / divisor);
    const ids = finished ? [...parent.ids.slice(search.contextLength), id] : [];
    return {
      sequence: { ids, finish: ends ?? 'length', score: normalized },
      score: Math.fround(normalized + (finished ? 0 : NEVER)),
      finished,
    };
  });
  const pool = best([...search.pool, ...entries], beams);
  const done =
    !canImprove(running, pool, newTokens, settings) ||
    (earlyStopping === true && pool.every((entry) => entry.finished)) ||
    candidates.every(({ ends }) => ends !== null);
  return { search: { ...search, running, pool }, done };
}

/**
 * The best candidates over all beams, in descending order; of equals the one of the earlier beam, then the lower id. null
 * where logits are not finite.
 */
function bestCandidates(search: PictureSearch, scores: BeamScores, settings: BeamSettings): Candidate[] | null {
  const { running, contextLength } = search;
  const count = Math.max(2, 1 + settings.eosTokenIds.length) * running.length;
  const kept: { parent: RunningBeam; id: number; score: number }[] = [];
  /** What a candidate has to exceed. */
  let least = NaN;
  /** What none that is not listed exceeds. */
  let unlisted = -Infinity;
  for (const parent of running) {
    const row = scores.of(parent.row);
    if (row === null) return null;
    applyLogitsRules(row, { ids: parent.ids, newTokens: parent.ids.length - contextLength }, settings);
    for (let place = 0; place < row.values.length; place++) {
      const score = Math.fround((row.values[place] ?? -Infinity) + parent.score);
      if (score <= least) continue;
      let at = kept.length;
      while (at > 0 && (kept[at - 1]?.score ?? -Infinity) < score) at--;
      kept.splice(at, 0, { parent, id: idAt(row, place), score });
      if (kept.length > count) kept.pop();
      if (kept.length === count) least = kept.at(-1)?.score ?? NaN;
    }
    unlisted = Math.max(unlisted, Math.fround(row.least + parent.score));
  }
  // Of equals an id that is not listed could have been the first.
  if (scores.all !== null && !(unlisted < least)) return bestCandidates(search, scores.all(), settings);
  return kept.map(({ parent, id, score }) => {
    const full = parent.ids.length - contextLength + 1 >= settings.maxNewTokens;
    return { parent, id, score, ends: settings.eosTokenIds.includes(id) ? 'stop' : full ? 'length' : null };
  });
}

/** Whether the best running sequence could still beat the worst of the pool, by the estimate that transformers uses. */
function canImprove(
  running: readonly RunningBeam[],
  pool: readonly PoolEntry[],
  newTokens: number,
  { strategy: { lengthPenalty, earlyStopping }, maxNewTokens }: BeamSettings,
): boolean {
  const length = earlyStopping === 'never' && lengthPenalty > 0 ? maxNewTokens : newTokens;
  const hoped = Math.fround((running[0]?.score ?? NEVER) / Math.fround(length ** lengthPenalty));
  const worst = Math.min(...pool.map((entry) => entry.score));
  return pool.some((entry) => hoped > (entry.finished ? worst : NEVER));
}

/** The `count` highest scores in descending order; of equals the first. */
function best<T extends { readonly score: number }>(items: readonly T[], count: number): T[] {
  return items.toSorted((a, b) => b.score - a.score).slice(0, count);
}
