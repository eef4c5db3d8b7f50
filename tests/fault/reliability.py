#!/usr/bin/env python3
"""reliability.py RESULTS REPORT: sums what scripts/fault --full recorded, and writes docs/reliability.md from it.

A line of RESULTS is: case, what, full count, passed|failed, times, longest recovery in ms or -, workers, seed, time, commit,
machine, mongod, driver. Lines of the same circumstances are added up in place, so that the file stays small enough to keep.
What passed before a failure does not count any more: the case has to pass as often as the full count since then.
"""
import sys

COLUMNS = "case what full result times recovery workers seed time commit machine mongod driver".split()

HEAD = """# Reliability

What tokenfix survived, on real servers on loopback, driven as a process from outside. Written by `scripts/fault --full` from
[reliability.tsv](reliability.tsv), which has a line for every go; nothing here was not run. After every single repetition the
oracle reads collection and backup itself: nothing lost, nothing repaired twice, every sum as computed without the tool, and
`tokenfix verify` finds nothing.

A row is repeated by `scripts/fault --case CASE [TIMES]`. *Run* counts since the last failure. *Longest recovery* is the time
until the next batch was committed: from the start of the program that resumes, or, where the tool survives by itself, the
longest pause from the fault on; with ASan and UBSan on, on a machine that had other work, too. A case that is not listed has
not been run in full yet; the suite runs each a few times.

"""


def read(path):
    rows = []
    with open(path, encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            fields = line.rstrip("\n").split("\t")
            if len(fields) != len(COLUMNS) or fields[3] not in ("passed", "failed"):
                sys.exit(f"{path}:{number}: not a line of results")
            row = dict(zip(COLUMNS, fields))
            row["full"], row["times"] = int(row["full"]), int(row["times"])
            row["recovery"] = None if row["recovery"] == "-" else int(row["recovery"])
            rows.append(row)
    return rows


def longest(rows):
    return max((row["recovery"] for row in rows if row["recovery"] is not None), default=None)


SAME = ("what", "full", "result", "workers", "commit", "machine", "mongod", "driver")


def merge(out, row):
    """Adds row to an earlier line of its case under the same circumstances, if no failure lies between."""
    for before in reversed(out):
        if before["case"] != row["case"]:
            continue
        if before["result"] != "passed":
            return False
        if all(before[key] == row[key] for key in SAME):
            slowest = longest([before, row])
            if slowest != before["recovery"]:
                before["seed"] = row["seed"]
            before.update(recovery=slowest, times=before["times"] + row["times"], time=row["time"])
            return True
    return False


def compact(rows):
    out = []
    for row in rows:
        if not merge(out, row):
            out.append(dict(row))
    return out


def write_rows(rows, path):
    with open(path, "w", encoding="utf-8") as file:
        for row in rows:
            values = dict(row, recovery="-" if row["recovery"] is None else row["recovery"])
            file.write("\t".join(str(values[key]) for key in COLUMNS) + "\n")


def since_failure(rows):
    good = []
    for row in rows:
        good = good + [row] if row["result"] == "passed" else []
    return good


def unique(rows, key):
    return list(dict.fromkeys(row[key] for row in rows))


def result(rows, good, done):
    if rows[-1]["result"] == "failed":
        return f"**failed** at {rows[-1]['commit']}"
    text = "passed" if done >= rows[-1]["full"] else "passed so far"
    failures = sum(row["times"] for row in rows if row["result"] == "failed")
    return f"{text}; failed {failures} × before, last at {[r for r in rows if r['result'] == 'failed'][-1]['commit']}" if failures else text


def commits(good):
    names = unique(good, "commit")
    return names[0] if len(names) == 1 else f"{names[0]} … {names[-1]}" if names else "–"


def line_of(case, rows):
    good = since_failure(rows)
    done = sum(row["times"] for row in good)
    slowest = longest(good)
    workers = ", ".join("default" if w == "0" else w for w in sorted(unique(good, "workers"), key=int)) or "–"
    recovery = "–" if slowest is None else f"{slowest / 1000:.1f} s"
    return (f"| `{case}` | {rows[-1]['what']} | {done:,} of {rows[-1]['full']:,} | {result(rows, good, done)} | {recovery} | {workers} |"
            f" {commits(good)} | {rows[-1]['time'][:10]} |")


def report(rows):
    cases = {}
    for row in rows:
        cases.setdefault(row["case"], []).append(row)
    lines = ["| case | fault | run | result | longest recovery | workers | commit | last |", "|---|---|---|---|---|---|---|---|"]
    lines += [line_of(case, cases[case]) for case in sorted(cases)]
    where = "; ".join(f"{what} {' and '.join(unique(rows, key))}" for what, key in
                      (("Servers and tool together on", "machine"), ("mongod", "mongod"), ("libmongoc", "driver")))
    return HEAD + "\n".join(lines) + f"\n\n{where}.\n"


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    rows = compact(read(sys.argv[1]))
    write_rows(rows, sys.argv[1])
    with open(sys.argv[2], "w", encoding="utf-8") as file:
        file.write(report(rows))


if __name__ == "__main__":
    main()
