/** The state of the page, and what changes it: settings, an opened model, answers of the workers. */
import { Blip2Error } from '../../../src/errors.js';
import { openFiles } from '../model/open-files.js';
import { openHub } from '../model/open-hub.js';
import { openPreset, type OpenModel } from '../model/open-model.js';
import { areAlike, cardsOf, memoryOf } from '../settings/card-groups.js';
import type { CarriedOptions } from '../settings/plan-options.js';
import { readSettings, settingsHash } from '../settings/settings-hash.js';
import type { Settings } from '../settings/settings.js';
import { faultOf } from '../worker/fault.js';
import type { Reply } from '../worker/messages.js';
import { PlannerClient } from '../worker/planner-client.js';
import type { GivenReport } from './given-report.js';
import { KeptAnswers } from './kept-answers.js';
import type { PageState, ShownAnswer } from './page-state.js';
import { planForMore } from './plan-for-more.js';
import { questionOf } from './question-of.js';
import { SweepRunner } from './sweep-runner.js';

export class PageStore {
  #state: PageState;
  readonly #onChange: (state: PageState) => void;
  readonly #planner = new PlannerClient();
  readonly #sweeps: SweepRunner;
  readonly #carried: CarriedOptions | undefined;
  readonly #answers = new KeptAnswers();
  /** Of a report or dropped: what no address names. */
  #held: OpenModel | null;
  /** Counts openings: an older one that ends later is of no interest. */
  #openings = 0;

  constructor(hash: string, given: GivenReport | null, onChange: (state: PageState) => void) {
    this.#onChange = onChange;
    this.#held = given?.model ?? null;
    this.#carried = given?.carried;
    this.#sweeps = new SweepRunner((sweep) => this.#set({ sweep }));
    const { settings, faults } = readSettings(hash === '' ? (given?.settings ?? '') : hash);
    this.#state = {
      settings,
      addressFaults: faults,
      model: { status: 'opening', id: settings.model.id },
      shown: null,
      fault: null,
      isSearching: true,
      sweep: null,
      heldId: this.#held?.identity.id ?? null,
      measured: given?.measured ?? null,
      carriedFlags: given?.carriedFlags ?? [],
    };
    if (given !== null) this.#keepGiven(given);
    this.#openNamed(settings);
  }

  get state(): PageState {
    return this.#state;
  }

  change(change: Partial<Settings>): void {
    const before = this.#state.settings;
    const settings = { ...before, ...change };
    this.#set({ settings, addressFaults: [] });
    if (settings.model.id !== before.model.id || settings.hub !== before.hub) this.#openNamed(settings);
    else this.#plan();
  }

  /** From an address that its reader changed. */
  goTo(hash: string): void {
    if (hash.replace(/^#/, '') === settingsHash(this.#state.settings)) return;
    const { settings, faults } = readSettings(hash);
    this.change(settings);
    this.#set({ addressFaults: faults });
  }

  drop(files: () => Promise<readonly File[]>): void {
    void this.#open('what was dropped', async () => {
      const model = await openFiles(await files());
      this.#held = model;
      this.#answers.clear();
      this.#set({
        heldId: model.identity.id,
        settings: { ...this.#state.settings, model: { kind: 'held', id: model.identity.id } },
      });
      return model;
    });
  }

  /** The plan that a report brings is shown as it is, until a setting changes. */
  #keepGiven({ plan, settings, sweep }: GivenReport): void {
    const asked = readSettings(settings).settings;
    const shown: ShownAnswer = {
      settings: asked,
      answer: { status: 'fits', plan },
      standing: 'final',
      warnings: [],
      auto: null,
    };
    this.#answers.keep(asked, shown);
    this.#state = { ...this.#state, shown, isSearching: false };
    this.#sweeps.keep(sweep, asked);
  }

  #openNamed({ model, hub }: Settings): void {
    void this.#open(model.id, async () => {
      if (this.#held?.identity.id === model.id) return this.#held;
      switch (model.kind) {
        case 'preset':
          return openPreset(model.id);
        case 'hub':
          return openHub(hub, model.id);
        case 'held':
          throw new Blip2Error('FILES_GONE', `${model.id} is not here any more: an address cannot hold files.`, {
            hint: 'Drop the files again, or choose another model.',
          });
      }
    });
  }

  async #open(id: string, open: () => Promise<OpenModel>): Promise<void> {
    this.#openings += 1;
    const opening = this.#openings;
    // The first is of the model that a report's sweep is of.
    if (opening > 1) this.#sweeps.stop();
    this.#set({ model: { status: 'opening', id }, fault: null, isSearching: true });
    try {
      const model = await open();
      if (opening !== this.#openings) return;
      this.#set({ model: { status: 'open', model } });
      this.#plan();
    } catch (error) {
      if (opening !== this.#openings) return;
      this.#planner.cancel();
      this.#set({ model: { status: 'failed', fault: faultOf(error) }, shown: null, isSearching: false, sweep: null });
    }
  }

  #plan(): void {
    const { settings, model } = this.#state;
    if (model.status !== 'open') return;
    const known = this.#answers.of(settings);
    const near = this.#fitting(settings);
    const shown = known ?? near ?? this.#state.shown;
    this.#set({ shown, fault: null, isSearching: known === undefined });
    // Of cards that are not alike, the sweep's plan takes no more of each than there is of the smallest.
    const hasNear = near !== null && this.#state.sweep?.isDone === true && areAlike(settings.groups);
    if (known === undefined || known.auto === null) void this.#ask(settings, model.model, hasNear);
    else void this.#askSweep(settings, model.model);
  }

  /** The plan of the largest budget of the sweep that is no larger than this. */
  #fitting(settings: Settings): ShownAnswer | null {
    const least = Math.min(...cardsOf(settings.groups).map(memoryOf));
    const plan = this.#sweeps.planWithin(settings, least);
    if (plan === null) return null;
    const answer = { status: 'fits', plan: planForMore(plan, settings) } as const;
    return { settings, answer, standing: 'fits', warnings: [], auto: null };
  }

  async #ask(settings: Settings, model: OpenModel, hasNear: boolean): Promise<void> {
    try {
      const ask = await questionOf(settings, model, this.#carried);
      this.#planner.ask({
        ...ask,
        wanted: { kind: 'plan', hasNear },
        onReply: (reply) => this.#receive(reply, settings, model),
      });
    } catch (error) {
      if (this.#isCurrent(settings)) this.#set({ fault: faultOf(error), shown: null, isSearching: false });
    }
  }

  #receive(reply: Reply, settings: Settings, model: OpenModel): void {
    const isCurrent = this.#isCurrent(settings);
    switch (reply.kind) {
      case 'plan': {
        const { answer, warnings, isInterim } = reply;
        if (isInterim) {
          if (isCurrent)
            this.#set({ shown: { settings, answer, standing: 'fits', warnings, auto: null }, fault: null });
          return;
        }
        const shown: ShownAnswer = { settings, answer, standing: 'final', warnings, auto: null };
        // A report's own plan stays; the worker was asked for the comparison.
        const kept = this.#answers.of(settings) ?? shown;
        this.#answers.keep(settings, kept);
        if (isCurrent) this.#set({ shown: kept, isSearching: false, fault: null });
        return;
      }
      case 'auto': {
        const known = this.#answers.of(settings);
        if (known === undefined) return;
        const shown = { ...known, auto: reply.auto };
        this.#answers.keep(settings, shown);
        if (isCurrent) this.#set({ shown });
        return;
      }
      case 'failed':
        if (isCurrent) this.#set({ fault: reply.fault, shown: null, isSearching: false });
        return;
      case 'done':
        if (isCurrent) void this.#askSweep(settings, model);
        return;
      case 'point':
    }
  }

  async #askSweep(settings: Settings, model: OpenModel): Promise<void> {
    if (this.#state.fault !== null) return;
    const { shown } = this.#state;
    const plan = shown?.answer.status === 'fits' ? shown.answer.plan : null;
    const ask = await questionOf(settings, model, this.#carried);
    // One picture is what every budget is planned for; of more, the plan has chosen how many are encoded together.
    this.#sweeps.run(ask, plan === null || plan.workload.batch === 1 ? null : plan.workload);
  }

  #isCurrent(settings: Settings): boolean {
    return settingsHash(settings) === settingsHash(this.#state.settings);
  }

  #set(change: Partial<PageState>): void {
    this.#state = { ...this.#state, ...change };
    this.#onChange(this.#state);
  }
}
