import type * as z from 'zod';
import type { ErrorCode } from './error-codes.js';
import { Blip2Error } from './errors.js';

/** How a document is refused that is not what its schema says. */
interface Refusal {
  readonly code: ErrorCode;
  /** What it is not. */
  readonly what: string;
  readonly hint: string;
  /** Faults that the message has at most; `details.issues` has all. */
  readonly most?: number;
}

/** A document by its schema. @throws Blip2Error of the refusal's code, naming every field that is wrong */
export function parseDocument<Document>(
  schema: z.ZodType<Document>,
  json: unknown,
  { code, what, hint, most = Infinity }: Refusal,
): Document {
  const parsed = schema.safeParse(json);
  if (parsed.success) return parsed.data;
  const issues = parsed.error.issues.map((issue) => `${issue.path.join('.') || '(document)'}: ${issue.message}`);
  throw new Blip2Error(code, `${what}: ${issues.slice(0, most).join('; ')}`, { hint, details: { issues } });
}
