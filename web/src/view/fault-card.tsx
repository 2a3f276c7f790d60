import type { Fault } from '../worker/messages.js';
import { Card } from './card.js';

/** An error as text: code, what, and what to do next. */
export function FaultCard({ title, fault }: { title: string; fault: Fault }) {
  return (
    <Card title={title} isMain>
      <div role="alert">
        <p>{fault.message}</p>
        {fault.hint !== null && <p>{fault.hint}</p>}
        <p class="soft">
          <code>{fault.code}</code>
        </p>
      </div>
    </Card>
  );
}
