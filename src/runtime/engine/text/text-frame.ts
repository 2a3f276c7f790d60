/** What a tokenizer puts around the ids of a text: `post_processor` of a `tokenizer.json`. */
import { fieldsOf, type Fields } from './class-rules.js';

export interface TextFrame {
  readonly before: readonly number[];
  readonly after: readonly number[];
}

const NONE: TextFrame = { before: [], after: [] };

/**
 * @param idOf the id of a token that the file names without its id
 * @throws Error for a frame that is not done here
 */
export function textFrame(frame: unknown, idOf: (content: string) => number | undefined): TextFrame {
  const fields = fieldsOf(frame);
  const { type } = fields;
  if (frame === null || frame === undefined || type === 'ByteLevel') return NONE;
  if (type === 'BertProcessing' || type === 'RobertaProcessing')
    return { before: [idIn(fields['cls'])], after: [idIn(fields['sep'])] };
  if (type === 'Sequence' && Array.isArray(fields['processors'])) {
    const frames = fields['processors'].map((each) => textFrame(each, idOf));
    const [only = NONE, ...others] = frames.filter(({ before, after }) => before.length + after.length > 0);
    if (others.length === 0) return only;
    // The second goes around each of the parts that the first has made.
    throw new Error('"post_processor" puts tokens around a text twice, which is not done here');
  }
  if (type === 'TemplateProcessing' && Array.isArray(fields['single']))
    return ofTemplate(fields, fields['single'], idOf);
  throw new Error(`"post_processor" of type ${JSON.stringify(type)} is not done here`);
}

function ofTemplate(
  { special_tokens: special }: Fields,
  pieces: readonly unknown[],
  idOf: (content: string) => number | undefined,
): TextFrame {
  const idsOf = (piece: unknown): readonly number[] => {
    const id = String(fieldsOf(fieldsOf(piece)['SpecialToken'])['id']);
    const stated = fieldsOf(fieldsOf(special)[id])['ids'] ?? idOf(id);
    return [stated].flat().map(isId);
  };
  const places = pieces.flatMap((piece, place) => ('Sequence' in fieldsOf(piece) ? [place] : []));
  const [place] = places;
  if (place === undefined || places.length > 1 || fieldsOf(fieldsOf(pieces[place])['Sequence'])['id'] !== 'A')
    throw new Error('"post_processor" does not have a text in its place once');
  return { before: pieces.slice(0, place).flatMap(idsOf), after: pieces.slice(place + 1).flatMap(idsOf) };
}

/** `["</s>", 2]` */
const idIn = (token: unknown): number => isId(Array.isArray(token) ? token[1] : undefined);

function isId(value: unknown): number {
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0) return value;
  throw new Error('"post_processor" has a token without an id');
}
