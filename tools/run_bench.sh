#!/usr/bin/env bash
# run_bench.sh BUILD : every benchmark program, then the drivers that put a live peer beside us.
set -eu
cd "$(dirname "$0")/.."
for b in "$1"/bench/*_bench; do echo "== $(basename "$b")"; "$b"; done
for d in tests/bench/*_bench.py; do [ -f "$d" ] && { echo "== $(basename "$d")"; /usr/bin/python3 "$d" "$1"; }; done
