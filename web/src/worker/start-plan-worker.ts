/**
 * A worker of the page's own script: a page from `file:` may start none from another file. The script runs once for the page
 * and once in each worker, where there is no document.
 */
let address: string | undefined;

export function startPlanWorker(): Worker {
  if (address === undefined) {
    const script = document.querySelector('#script')?.textContent;
    if (script === undefined || script === null) throw new Error('the page holds no script of its own');
    address = URL.createObjectURL(new Blob([script], { type: 'text/javascript' }));
  }
  return new Worker(address, { name: 'planner' });
}
