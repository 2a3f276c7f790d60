"""Plans for several GPUs against an integer program of counts, solved by HiGHS (pip install highspy).

  node bench/planner/export-problems.mjs peers.json '' equal,unequal > problems.jsonl
  python bench/planner/count_program.py problems.jsonl [seconds] [every n-th row]

Blocks alike that follow one another are a run. Which of them goes where does not matter, only how many a place gets: whoever
holds the block before may hold the run's first, whoever holds the one after its last, and every other device that takes part
is entered and left once. A crossing costs the sum of its two ends, which is checked. A JSON line per row on stdout, totals on
stderr.
"""
import json, sys, time

import highspy
import numpy as np

# Resources with more room than any model fills.
WITHOUT_LIMIT = 1e14
MIB = 2.0**20
# Plans give their costs rounded to microseconds, crossing by crossing.
SAME_MS = 0.02


def runs_of(items):
    """Lists of item numbers; an item that others refer to is a run of its own."""
    sources = {i["from"] for n, item in enumerate(items) for i in item["inputs"] if i["from"] != n - 1}
    tied = {n for n, item in enumerate(items) if item["sameAs"] is not None} | {item["sameAs"] for item in items}
    runs, last = [], None
    for n, item in enumerate(items):
        alone = n in sources or n in tied or any(i["from"] != n - 1 for i in item["inputs"])
        kind = json.dumps([item["cost"], item["use"], item["peak"]])
        entry = json.dumps([i["cost"] for i in item["inputs"]])
        joins = last and not alone and not last["alone"] and last["kind"] == kind and last["entry"] in (None, entry)
        if joins:
            runs[-1].append(n)
            last["entry"] = entry
        else:
            runs.append([n])
            last = {"alone": alone, "kind": kind, "entry": None}
    return runs


def ends_of(crossing, homes):
    """Device -> what it costs to enter or leave it."""
    devices = sorted(set(homes))
    least = {
        (a, b): min(crossing[p][q] for p in range(len(homes)) for q in range(len(homes)) if (homes[p], homes[q]) == (a, b))
        for a in devices
        for b in devices
    }
    if len(devices) < 3:
        ends = {d: least[devices[0], devices[-1]] / 2 for d in devices}
    else:
        ends = {
            a: min((least[a, b] + least[a, c] - least[b, c]) / 2 for b in devices for c in devices if len({a, b, c}) == 3)
            for a in devices
        }
    for p, a in enumerate(homes):
        for q, b in enumerate(homes):
            if abs(crossing[p][q] - (0 if a == b else ends[a] + ends[b])) > 1e-9:
                raise ValueError("a crossing is not the sum of its ends")
    return ends


class Program:
    def __init__(self, case):
        self.solver = highspy.Highs()
        self.solver.setOptionValue("output_flag", False)
        self.costs = []
        self.build(case["items"], case["homes"], case["capacities"])

    def variable(self, most, cost, whole=True):
        self.solver.addVar(0, most)
        k = len(self.costs)
        self.costs.append(cost)
        self.solver.changeColCost(k, cost)
        if whole:
            self.solver.changeColIntegrality(k, highspy.HighsVarType.kInteger)
        return k

    def charge(self, k, cost):
        self.costs[k] += cost
        self.solver.changeColCost(k, self.costs[k])

    def row(self, terms, low=-highspy.kHighsInf, high=highspy.kHighsInf):
        sums = {}
        for k, factor in terms:
            sums[k] = sums.get(k, 0) + factor
        self.solver.addRow(
            low, high, len(sums), np.array(list(sums), dtype=np.int32), np.array(list(sums.values()), dtype=float)
        )

    def build(self, items, homes, capacities):
        devices = sorted(set(homes))
        limited = [r for r, capacity in enumerate(capacities) if capacity < WITHOUT_LIMIT]
        peaks = {r: self.variable(highspy.kHighsInf, 0, whole=False) for r in limited}
        mib_of = {r: [(peaks[r], 1)] for r in limited}
        runs = runs_of(items)
        run_of = {n: g for g, run in enumerate(runs) for n in run}
        counts, firsts, lasts = [], [], []
        for run in runs:
            item, size = items[run[0]], len(run)
            count = {}
            for p, cost in enumerate(item["cost"]):
                if cost is None or any(item["use"][p][r] + item["peak"][p][r] > capacities[r] for r in limited):
                    continue
                count[p] = self.variable(size, cost)
                some = count[p] if size == 1 else self.variable(1, 0)
                if size > 1:
                    self.row([(count[p], 1), (some, -size)], high=0)
                for r in limited:
                    mib_of[r].append((count[p], item["use"][p][r] / MIB))
                    if item["peak"][p][r] > 0:
                        self.row([(some, item["peak"][p][r] / MIB), (peaks[r], -1)], high=0)
            self.row([(k, 1) for k in count.values()], size, size)
            first, last = {}, {}
            for d in devices:
                own = [(k, 1) for p, k in count.items() if homes[p] == d]
                if not own:
                    continue
                if size == 1:
                    first[d] = last[d] = self.variable(1, 0)
                    self.row([*own, (first[d], -1)], 0, 0)
                    continue
                end = ends_of(items[run[1]]["inputs"][0]["cost"], homes)[d]
                part, whole, twice = self.variable(1, 2 * end), self.variable(1, 0), self.variable(1, 2 * end)
                first[d], last[d] = self.variable(1, -end), self.variable(1, -end)
                self.row([*own, (part, -size)], high=0)
                self.row([*own, (whole, -size)], low=0)
                self.row([*own, (twice, -2)], low=0)
                for k in (part, first[d], last[d]):
                    self.row([*own, (k, -1)], low=0)
                # Holding both ends without all in between means being there twice.
                self.row([(first[d], 1), (last[d], 1), (whole, -1), (twice, -1)], high=1)
            if size > 1:
                self.row([(k, 1) for k in first.values()], 1, 1)
                self.row([(k, 1) for k in last.values()], 1, 1)
            counts.append(count), firsts.append(first), lasts.append(last)
        for g, run in enumerate(runs):
            for crossing in items[run[0]]["inputs"]:
                ends, source = ends_of(crossing["cost"], homes), lasts[run_of[crossing["from"]]]
                for d in devices:
                    sides = [side[d] for side in (source, firsts[g]) if d in side]
                    for k in sides:
                        self.charge(k, ends[d])
                    if len(sides) == 2:
                        both = self.variable(1, -2 * ends[d])
                        for k in sides:
                            self.row([(both, 1), (k, -1)], high=0)
        for n, item in enumerate(items):
            if item["sameAs"] is None:
                continue
            mine, theirs = counts[run_of[n]], counts[run_of[item["sameAs"]]]
            for p in {*mine, *theirs}:
                self.row([(k[p], s) for k, s in ((mine, 1), (theirs, -1)) if p in k], 0, 0)
        for r in limited:
            self.row(mib_of[r], high=capacities[r] / MIB)

    def solve(self, seconds):
        """The least cost found, and the bound below which there is none."""
        self.solver.setOptionValue("time_limit", float(seconds))
        self.solver.setOptionValue("mip_rel_gap", 1e-8)
        self.solver.setOptionValue("threads", 1)
        self.solver.run()
        if self.solver.getModelStatus() == highspy.HighsModelStatus.kInfeasible:
            return float("inf"), float("inf")
        info = self.solver.getInfo()
        return info.objective_function_value, info.mip_dual_bound


def main(path, seconds=20, every=1):
    ended = agreed = beaten = 0
    with open(path) as lines:
        rows = [json.loads(line) for line in lines][:: int(every)]
    for row in rows:
        start = time.process_time()
        answers = [Program(case).solve(float(seconds)) for case in row["cases"]]
        best, bound = min(cost for cost, _ in answers), min(bound for _, bound in answers)
        ours = row["ours"]
        proven = ours["costMs"] - ours["boundMs"] < SAME_MS
        certain = best - bound < SAME_MS
        ended += certain
        agreed += certain and proven and abs(best - ours["costMs"]) < SAME_MS
        beaten += best < ours["costMs"] - SAME_MS
        names = ("shape", "split", "fraction", "engine")
        took = round(time.process_time() - start, 1)
        print(json.dumps({**{k: row[k] for k in names}, "ours": ours["costMs"], "proven": proven, "best": best, "bound": bound, "cpuSeconds": took}), flush=True)
        wrong = proven and (best < ours["costMs"] - SAME_MS or bound > ours["costMs"] + SAME_MS)
        if wrong:
            raise SystemExit(f"our proof is wrong: {row['shape']} {row['split']} {row['fraction']} {row['engine']}")
    print(f"{len(rows)} rows, {ended} solved to the end, {agreed} agree with a proven plan, {beaten} faster than ours", file=sys.stderr)


main(*sys.argv[1:])
