import { render } from 'preact';
import { readGivenReport, type GivenReport } from './state/given-report.js';
import { PageStore } from './state/page-store.js';
import { settingsHash } from './settings/settings-hash.js';
import { App } from './view/app.js';
import './style/style.css';

/** Browsers refuse to change an address too often. */
const ADDRESS_DELAY_MS = 200;

export function startPage(): void {
  const root = document.querySelector('#page');
  if (root === null) throw new Error('the page has no place for its content');
  const given = readGiven();
  let timer: ReturnType<typeof setTimeout> | undefined;
  let drawn = false;
  const draw = (): void => {
    drawn = false;
    render(<App store={store} state={store.state} />, root);
  };
  const store = new PageStore(location.hash, given, (state) => {
    if (!drawn) queueMicrotask(draw);
    drawn = true;
    clearTimeout(timer);
    timer = setTimeout(() => writeAddress(settingsHash(state.settings)), ADDRESS_DELAY_MS);
  });
  addEventListener('hashchange', () => store.goTo(location.hash));
  draw();
}

function readGiven(): GivenReport | null {
  const text = document.querySelector('#given')?.textContent;
  return text === undefined || text === null ? null : readGivenReport(text);
}

function writeAddress(hash: string): void {
  if (location.hash.replace(/^#/, '') === hash) return;
  history.replaceState(null, '', hash === '' ? location.pathname + location.search : `#${hash}`);
}
