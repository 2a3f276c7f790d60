/** One script, two parts: the page, and without a document the worker that plans for it. */
import './no-eval.js';
import { startPage } from './start-page.js';
import { startWorker } from './worker/plan-worker.js';

if (typeof document === 'undefined') startWorker();
else startPage();
