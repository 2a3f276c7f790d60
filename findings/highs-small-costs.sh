#!/usr/bin/env bash
# highs 1.15.3 calls an answer "Optimal" whose value is a tenth of the best, where all values are billionths: a knapsack of ten things, whose best
# selection is worth 73 by trying all of them, has 73 in units of 1 to 1e-6, 66 in 1e-7 and 1e-8, and 7 in 1e-9. Allowing no gap, absolute or
# relative, changes nothing: costs count as nothing below a tolerance that knows no units. `user_objective_scale`, powers of two, helps. Needs npm. Exits 1 once that has changed.
set -euo pipefail
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
cd "$scratch"
npm init -y >/dev/null
npm install --silent --ignore-scripts --no-audit --no-fund highs@1.15.3
cat >run.mjs <<'JS'
import loadHighs from 'highs';
const highs = await loadHighs();
const VALUES = [31, 27, 25, 22, 19, 17, 14, 11, 9, 7];
const WEIGHTS = [13, 11, 12, 9, 8, 7, 6, 5, 4, 3];
const ROOM = 30;
const sum = (numbers, isIn) => numbers.reduce((total, number, i) => total + (isIn(i) ? number : 0), 0);
let best = 0;
for (let chosen = 0; chosen < 2 ** VALUES.length; chosen++) {
  const isIn = (i) => ((chosen >> i) & 1) === 1;
  if (sum(WEIGHTS, isIn) <= ROOM) best = Math.max(best, sum(VALUES, isIn));
}
const line = (numbers) => numbers.map((number, i) => `${number} x${i}`).join(' + ');
const names = VALUES.map((_, i) => `x${i}`).join(' ');
const found = (unit, options) => {
  const values = VALUES.map((value) => (value * unit).toExponential(12));
  const model = `Maximize\n v: ${line(values)}\nSubject To\n w: ${line(WEIGHTS)} <= ${ROOM}\nBinary\n ${names}\nEnd`;
  const { Status, Columns } = highs.solve(model, options);
  return `${Status} ${sum(VALUES, (i) => Math.round(Columns[`x${i}`].Primal) === 1)}`;
};
const exact = { mip_rel_gap: 0, mip_abs_gap: 0 };
const rows = [1, 1e-6, 1e-7, 1e-9].map((unit) => [unit, found(unit, {}), found(unit, exact)]);
const scaled = found(1e-9, { user_objective_scale: 30 });
console.log(`best of all selections: ${best}`);
for (const [unit, usual, without] of rows) console.log(`in units of ${unit}: ${usual}; no gap allowed: ${without}`);
console.log(`in units of 1e-9, scaled by 2^30: ${scaled}`);
const said = JSON.stringify(rows.map(([, ...answers]) => answers));
const isAsFound =
  scaled === 'Optimal 73' &&
  said === '[["Optimal 73","Optimal 73"],["Optimal 73","Optimal 73"],["Optimal 66","Optimal 66"],["Optimal 7","Optimal 7"]]';
console.log(isAsFound && best === 73 ? 'as found: proven and wrong' : 'not as found');
process.exitCode = isAsFound && best === 73 ? 0 : 1;
JS
node run.mjs
