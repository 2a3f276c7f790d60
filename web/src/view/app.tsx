import { droppedFiles } from '../model/dropped-files.js';
import type { PageStore } from '../state/page-store.js';
import type { PageState } from '../state/page-state.js';
import { Answer } from './answer.js';
import { DropZone } from './drop-zone.js';
import { Glance } from './glance.js';
import { MachinePanel } from './machine-panel.js';
import { ModelPanel } from './model-panel.js';
import { WorkPanel } from './work-panel.js';
import { Status } from './status.js';

export function App({ store, state }: { store: PageStore; state: PageState }) {
  return (
    <DropZone onDrop={(transfer) => store.drop(() => droppedFiles(transfer))}>
      <header class="top">
        <h1>Where a model fits</h1>
        <p>
          Which device holds what, how fast it is, and what the next gigabyte buys. All of it is worked out here, in the
          page.
        </p>
      </header>
      <main class="columns">
        <form class="asked" aria-label="What to plan" onSubmit={(event) => event.preventDefault()}>
          {state.addressFaults.length > 0 && (
            <ul class="faults" role="alert">
              {state.addressFaults.map((fault) => (
                <li key={fault}>{fault}</li>
              ))}
            </ul>
          )}
          <ModelPanel state={state} store={store} />
          <MachinePanel settings={state.settings} onChange={(change) => store.change(change)} />
          <WorkPanel state={state} onChange={(change) => store.change(change)} />
          <Glance state={state} />
        </form>
        <section class="answer" aria-label="The plan" aria-busy={state.isSearching}>
          <Status state={state} />
          <Answer state={state} store={store} />
        </section>
      </main>
      <footer class="bottom">
        <p>
          Nothing is sent anywhere but to the hub you name, and to it only requests for files. Predictions are from data
          sheets and measured rates: the range says how far off they may be. <code>blip2-device-map</code>, Apache-2.0.
        </p>
      </footer>
    </DropZone>
  );
}
