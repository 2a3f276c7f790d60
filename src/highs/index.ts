/**
 * `blip2-device-map/highs`: an integer solver for the planner, which brings none of its own. HiGHS as WebAssembly, in Node
 * and in browsers; it blocks its thread while it searches.
 */
import highsModule, { type ModelData } from 'highs';
import type { IntegerProgram, IntegerSolver } from '../planner/solve/program/integer-program.js';

export { type IntegerSolver };

/** Relative: as close to the least cost as predictions are printed, and far above what floating point loses. */
const GAP = 1e-7;
/** Absolute: what a row may be off, in MiB for bytes, and a count from a whole number. */
const TOLERANCE = 1e-7;
/** Any is as good for two devices; of eight the plans in bench/planner are best with this one. */
const SEED = 2;

// The package's ES module exports the loader itself; its types describe the CommonJS one, which wraps it.
const loadHighs = highsModule as unknown as typeof highsModule.default;

/**
 * Loads HiGHS (about 0.1 s) and returns it as the planner's `integerSolver`.
 * @param wasmUrl address of `highs/runtime`, where that is not beside the script
 */
export async function highsSolver(wasmUrl?: string): Promise<IntegerSolver> {
  const highs = await loadHighs(wasmUrl === undefined ? {} : { locateFile: () => wasmUrl });
  const { modelStatus, callbackType } = highs.constants;
  return (program, { cutoff, stop, start = null, iterations = Infinity, wide, restarts = true }) =>
    highs.withModel(modelData(program), (model) => {
      model.options.set({
        output_flag: false,
        mip_rel_gap: GAP,
        mip_abs_gap: 0,
        mip_feasibility_tolerance: TOLERANCE,
        primal_feasibility_tolerance: TOLERANCE,
        mip_pscost_minreliable: 1,
        random_seed: SEED,
        mip_allow_restart: restarts,
      });
      if (start !== null) model.setSolution({ colValue: start });
      model.run({
        [callbackType.mipInterrupt]: (event) => {
          const made = Number(event.data.mip_total_lp_iterations ?? 0);
          const isWide = wide !== undefined && (event.data.mip_gap ?? Infinity) > wide.gap;
          // A row that keeps the objective below the cutoff would do the same, and makes every linear program slower.
          if (
            stop() ||
            made >= (isWide ? wide.iterations : iterations) ||
            (event.data.mip_dual_bound ?? -Infinity) >= cutoff
          )
            event.interrupt();
        },
        [callbackType.simplexInterrupt]: (event) => {
          if (stop()) event.interrupt();
        },
      });
      const status = model.getModelStatus();
      if (status === modelStatus.infeasible || status === modelStatus.unboundedOrInfeasible)
        return { values: null, bound: Infinity };
      const found = Number.isFinite(model.getObjectiveValue()) && model.info.get('primal_solution_status') === 2;
      const isLinear = program.columns.every(({ whole }) => !whole);
      const bound = isLinear
        ? status === modelStatus.optimal && model.getObjectiveValue()
        : model.info.get('mip_dual_bound');
      return {
        values: found ? Float64Array.from(model.getSolution().colValue) : null,
        bound: typeof bound === 'number' ? bound : -Infinity,
        duals: isLinear && found ? Float64Array.from(model.getSolution().rowDual) : null,
      };
    });
}

function modelData({ columns, rows }: IntegerProgram): ModelData {
  const starts = [0];
  for (const row of rows) starts.push((starts.at(-1) ?? 0) + row.columns.length);
  return {
    numCols: columns.length,
    numRows: rows.length,
    colCost: columns.map(({ cost }) => cost),
    colLower: columns.map(() => 0),
    colUpper: columns.map(({ upper }) => upper),
    integrality: columns.map(({ whole }) => (whole ? 1 : 0)),
    rowLower: rows.map(({ low }) => low),
    rowUpper: rows.map(({ high }) => high),
    matrix: {
      format: 'csr',
      numRows: rows.length,
      numCols: columns.length,
      starts,
      indices: rows.flatMap((row) => row.columns),
      values: rows.flatMap((row) => row.factors),
    },
  };
}
