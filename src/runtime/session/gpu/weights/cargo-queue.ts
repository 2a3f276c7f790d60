/** The weights that one program streams to one device, copied ahead in the order in which its units run. */
import type { Cargo, Staging } from './staging.js';

export class CargoQueue {
  readonly #staging: Staging;
  readonly #cargos: readonly Cargo[];
  #next = 0;

  constructor(staging: Staging, cargos: readonly Cargo[]) {
    this.#staging = staging;
    this.#cargos = cargos;
  }

  /** Before a run: goes on with what was copied ahead after the last one, where another program has not come between. */
  start(): void {
    const missing = this.#cargos.findIndex((cargo) => !this.#staging.holds(cargo));
    if (missing === 0) this.#staging.clear();
    this.#next = missing === -1 ? this.#cargos.length : missing;
    this.#fill();
  }

  /** Later runs on the device see the cargo. */
  await(cargo: Cargo): void {
    this.#staging.await(cargo);
  }

  /** The unit of this cargo has been asked to run. */
  passed(cargo: Cargo): void {
    this.#staging.drain(cargo);
    this.#fill();
  }

  /** After a run that another one of the same program is likely to follow. */
  rewind(): void {
    this.#next = 0;
    this.#fill();
  }

  #fill(): void {
    for (;;) {
      const cargo = this.#cargos[this.#next];
      if (cargo === undefined || !this.#staging.fill(cargo)) return;
      this.#next++;
    }
  }
}
