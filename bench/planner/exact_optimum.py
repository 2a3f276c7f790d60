"""Our plans against the exact optimum of the same numbers, found by HiGHS (scipy.optimize.milp).

  node bench/planner/export-problems.mjs peers.json > problems.jsonl && python exact_optimum.py problems.jsonl [seconds]

Two integer programs per problem: the least cost that fits; then, among the placements of that cost, the most weights on GPUs.
A JSON line per problem goes to stderr, a table to stdout. "certain": both programs were solved to their end, each within
`seconds` (60). "beaten": HiGHS found a faster placement than ours, or proved ours too fast to be true.
"""
import json, sys, time

import numpy as np
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import csr_array

MIB = 2.0**20
# Costs are rounded to microseconds, crossing by crossing.
SAME_MS = 0.02


class Program:
    """Binary x[item][place]; y[a][b] per input that goes from place a to b; the largest peak per resource."""

    def __init__(self, case):
        self.costs, self.most, self.whole, self.gpu_mib = [], [], [], []
        self.rows, self.low, self.high = [], [], []
        items = case["items"]
        x = [[self.variable(c or 0, 0 if c is None else 1, True, g) for c, g in zip(item["cost"], item["gpuBytes"])] for item in items]
        places = range(len(x[0]))
        for item, own in zip(items, x):
            self.row({v: 1 for v in own}, 1, 1)
            if item["sameAs"] is not None:
                for p in places:
                    self.row({own[p]: 1, x[item["sameAs"]][p]: -1}, 0, 0)
            for source in item["inputs"]:
                self.input(x[source["from"]], own, source["cost"])
        for r, capacity in enumerate(case["capacities"]):
            if capacity < 2**52:
                self.resource(r, capacity, items, x)

    def variable(self, cost, most, whole=False, gpu_bytes=0):
        self.costs.append(cost)
        self.most.append(most)
        self.whole.append(whole)
        self.gpu_mib.append(gpu_bytes / MIB)
        return len(self.costs) - 1

    def row(self, terms, low, high):
        self.rows.append(terms)
        self.low.append(low)
        self.high.append(high)

    def input(self, source, target, cost):
        if not any(value for line in cost for value in line):
            return
        y = [[self.variable(value, 1) for value in line] for line in cost]
        for a, line in enumerate(y):
            self.row({**dict.fromkeys(line, 1), source[a]: -1}, 0, 0)
        for b, own in enumerate(target):
            self.row({**dict.fromkeys((line[b] for line in y), 1), own: -1}, 0, 0)

    def resource(self, r, capacity, items, x):
        peak = self.variable(0, np.inf)
        total = {peak: 1.0}
        for item, own in zip(items, x):
            total |= {v: use[r] / MIB for v, use in zip(own, item["use"]) if use[r]}
            peaks = {v: -use[r] / MIB for v, use in zip(own, item["peak"]) if use[r]}
            if peaks:
                self.row({peak: 1.0, **peaks}, 0, np.inf)
        self.row(total, -np.inf, capacity / MIB)

    def solve(self, objective, seconds, limit_ms=None):
        rows = self.rows if limit_ms is None else [*self.rows, {v: cost for v, cost in enumerate(self.costs) if cost}]
        low, high = (self.low, self.high) if limit_ms is None else ([*self.low, -np.inf], [*self.high, limit_ms])
        entries = [(k, column, value) for k, terms in enumerate(rows) for column, value in terms.items()]
        i, j, values = zip(*entries)
        matrix = csr_array((values, (i, j)), shape=(len(rows), len(self.costs)))
        limits = {"time_limit": seconds, "mip_rel_gap": 1e-9}
        return milp(objective, constraints=LinearConstraint(matrix, low, high), integrality=np.array(self.whole, int), bounds=Bounds(0, self.most), options=limits)


def optimum(cases, seconds):
    programs = [Program(case) for case in cases]
    answers = [program.solve(np.array(program.costs), seconds) for program in programs]
    certain = all(answer.status in (0, 2) for answer in answers)
    found = [(program, answer) for program, answer in zip(programs, answers) if answer.x is not None]
    if not found:
        return dict(costMs=None, boundMs=0, gpuBytes=0, certain=certain)
    cost = min(answer.fun for _, answer in found)
    bound = min(cost, *(0 if answer.mip_dual_bound is None else answer.mip_dual_bound for answer in answers if answer.status != 2), np.inf)
    fullest = [program.solve(-np.array(program.gpu_mib), seconds, cost + SAME_MS) for program, answer in found if answer.fun <= cost + SAME_MS]
    held = max((-answer.fun * MIB for answer in fullest if answer.x is not None), default=0)
    return dict(costMs=cost, boundMs=bound, gpuBytes=held, certain=certain and all(answer.status == 0 for answer in fullest))


def main(path, seconds=60.0):
    tally = {}
    for line in open(path):
        problem = json.loads(line)
        start = time.time()
        best, ours = optimum(problem["cases"], float(seconds)), problem["ours"]
        row = {key: problem[key] for key in ("shape", "split", "fraction", "engine")}
        print(json.dumps({**row, "ours": ours, "optimum": best, "seconds": round(time.time() - start, 1)}), file=sys.stderr, flush=True)
        tally.setdefault((problem["engine"], problem["split"]), []).append((ours, best))
    print("engine        GPUs     rows  certain  beaten  cost / optimum's, most  GPU bytes / optimum's: least, median  budget in use: least, median")
    for (engine, split), rows in tally.items():
        sure = [(ours, best) for ours, best in rows if best["certain"]]
        beaten = sum(best["costMs"] is not None and (best["costMs"] < ours["costMs"] - SAME_MS or best["boundMs"] > ours["costMs"] + SAME_MS) for ours, best in rows)
        most = max((ours["costMs"] / best["costMs"] for ours, best in sure), default=float("nan"))
        share = sorted(ours["gpuBytes"] / best["gpuBytes"] if best["gpuBytes"] > 0.5 else 1.0 for ours, best in sure) or [float("nan")]
        in_use = sorted(ours["inUse"] for ours, _ in rows)
        middle = lambda values: values[len(values) // 2]  # noqa: E731
        percent = lambda value: f"{100 * value:.2f} %"  # noqa: E731
        shares = f"{percent(share[0])}, {percent(middle(share))}"
        print(f"{engine:13} {split:8} {len(rows):4}  {len(sure):7}  {beaten:6}  {most:22.6f}  {shares:36}  {percent(in_use[0])}, {percent(middle(in_use))}")


main(*sys.argv[1:])
