import type { Infeasible, Remedy } from '../../../src/planner/plan/choice/infeasible.js';
import { deviceName } from '../../../src/planner/report/picture-data.js';
import { besideThem } from '../../../src/planner/report/does-not-fit.js';
import { formatMs } from '../../../src/planner/report/format-ms.js';
import { formatSize, parseSize } from '../../../src/size.js';
import { cardCount, memoryOf, wholeMemory } from '../settings/card-groups.js';
import type { CardGroup, Settings } from '../settings/settings.js';
import { withRemedy } from '../settings/with-remedy.js';
import { Card } from './card.js';

interface DoesNotFitProps {
  readonly result: Infeasible;
  readonly settings: Settings;
  readonly onChange: (change: Partial<Settings>) => void;
}

/** Why nothing fits, and the changes that were tried and work, the cheapest first. */
export function DoesNotFit({ result, settings, onChange }: DoesNotFitProps) {
  const { devices, neededBytes, shortBytes, remedies, proven } = result;
  const offers = devices
    .filter(({ id, budgetBytes }) => id !== 'disk' || budgetBytes !== 0)
    .map(
      ({ id, budgetBytes }) =>
        `${budgetBytes === null ? 'any amount' : formatSize(budgetBytes)} ${id === 'disk' ? 'on disk' : id === 'cpu' ? 'of host memory' : `on ${deviceName(id)}`}`,
    );
  const changes = remedies.flatMap((remedy) => {
    const changed = withRemedy(settings, remedy);
    return changed === null ? [] : [{ remedy, changed }];
  });
  return (
    <Card title={proven ? 'It does not fit' : 'No placement was found in time'} isMain>
      <p>
        Weights and caches take {formatSize(neededBytes)}; there is {offers.join(', ')}
        {shortBytes > 0 && <>, {formatSize(shortBytes)} short</>}
        {proven && shortBytes === 0 && <>: {besideThem(result)}</>}.
      </p>
      {changes.length > 0 && (
        <>
          <p>Each of these alone makes it fit:</p>
          <ul class="remedies">
            {changes.map(({ remedy, changed }, i) => (
              <li key={remedy.flag}>
                <button type="button" class={i === 0 ? 'primary' : ''} onClick={() => onChange(changed)}>
                  {inWords(remedy, settings)}
                </button>
                {remedy.latencyMs !== null && <span class="soft"> about {formatMs(remedy.latencyMs)} a call</span>}
              </li>
            ))}
          </ul>
        </>
      )}
      {!proven && settings.searchSeconds === null && (
        <button type="button" class="primary" onClick={() => onChange({ searchSeconds: 10 })}>
          Search on, up to 10 s
        </button>
      )}
      {proven && changes.length === 0 && <p>No change of one budget makes it fit.</p>}
    </Card>
  );
}

function inWords({ kind, flag, addedBytes }: Remedy, { groups }: Settings): string {
  const [name, value = ''] = flag.split(' ');
  switch (kind) {
    case 'dtype':
      return `Load as ${value}`;
    case 'quant':
      return `Quantise: ${value.replace(',', ' or ')}`;
    case 'batch':
      return `${value} at once`;
    case 'beams':
      return 'One beam';
    case 'budget': {
      const card = cardCount(groups) > 1 ? 'on the largest card' : 'on the card';
      const what = { '--vram': card, '--ram': 'of host memory', '--disk': 'on disk' }[name ?? ''] ?? '';
      const most = name === '--vram' ? mostOfLargest(groups) : null;
      const more = most !== null && parseSize(value) > most.bytes ? `, more than the ${most.card} has` : '';
      return `${formatSize(addedBytes)} more ${what}${more}`;
    }
  }
}

/** What the card that a remedy grows has altogether; null where nobody knows it. */
function mostOfLargest(groups: readonly CardGroup[]): { card: string; bytes: number } | null {
  const [largest] = groups.toSorted((a, b) => memoryOf(b) - memoryOf(a));
  const card = largest?.card ?? null;
  return card === null ? null : { card, bytes: wholeMemory(card) };
}
