#!/usr/bin/env python3
"""Grouping accuracy of the pattern miner on collections whose templates are known.

    log_pattern_accuracy.py build/bench/log_pattern_bench COLLECTIONS [NAME]

COLLECTIONS/<name>/<name>_2k.log_structured.csv.gz with columns Content and EventId. A line is grouped right when the lines
of its pattern are exactly the lines of its template; the accuracy is the share of such lines. NAME prints what went wrong.
"""
import collections
import csv
import gzip
import pathlib
import subprocess
import sys


def groups_of(keys):
    groups = collections.defaultdict(list)
    for i, key in enumerate(keys):
        groups[key].append(i)
    return groups


def load(path):
    with gzip.open(path, "rt", encoding="utf-8", newline="") as f:
        rows = list(csv.DictReader(f))
    return [" ".join(r["Content"].splitlines()) for r in rows], [r["EventId"] for r in rows]


def mine(program, lines):
    text = "".join(line + "\n" for line in lines).encode()
    out = subprocess.run([program, "--patterns"], input=text, stdout=subprocess.PIPE, check=True).stdout.decode("utf-8", "replace")
    return [line.split("\t", 1) for line in out.split("\n")[:-1]]


def main():
    program, root = sys.argv[1], pathlib.Path(sys.argv[2])
    show, total, count = sys.argv[3] if len(sys.argv) > 3 else None, 0.0, 0
    for path in sorted(root.glob("*/*_structured.csv.gz")):
        lines, truth = load(path)
        mined = mine(program, lines)
        assert len(mined) == len(lines), path
        wanted = {tuple(v) for v in groups_of(truth).values()}
        found = groups_of(number for number, _ in mined)
        right = sum(len(v) for v in found.values() if tuple(v) in wanted)
        name = path.parent.name
        print(f"{name:12} {right / len(lines):.4f}   {len(found):4} patterns, {len(wanted):4} templates")
        total, count = total + right / len(lines), count + 1
        if show == name:
            for v in found.values():
                if tuple(v) not in wanted:
                    print("   ", len(v), mined[v[0]][1], sorted({truth[i] for i in v}))
    if not count:
        sys.exit(f"no collections in {root}")
    print(f"{'mean':12} {total / count:.4f}")


main()
