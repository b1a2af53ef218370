#!/usr/bin/env bash
# features.sh: which rows of the feature list (docs/features.tsv) have tests that name them. A row is tested when a file under tests/
# has its id in it, and only then; nothing is claimed for the rest. Prints id, kind, state, name and the tests, then a line an area.
set -u
cd "$(dirname "$0")/.."
found=$(mktemp); trap 'rm -f "$found"' EXIT
grep -rIoE --exclude-dir=node_modules --exclude-dir=__pycache__ '\bS[0-9]-[0-9]{3}(\.\.[0-9]{3})?\b' tests |
    awk -F: '{ split($2, part, /\.\./); print part[1] "\t" $1
               if (part[2] != "") { n = substr(part[1], 4) + 0; for (i = n + 1; i <= part[2] + 0; i++) printf "%s%03d\t%s\n", substr(part[1], 1, 3), i, $1 } }' |
    sort -u >"$found"
awk -F'\t' '
    NR == FNR { n = split($2, path, "/"); tests[$1] = tests[$1] (tests[$1] == "" ? "" : " ") path[n]; next }
    FNR == 1 { next }
    { state = tests[$1] == "" ? "not yet" : "tested"
      printf "%-7s %s  %-8s %-58s %s\n", $1, $2, state, $4, tests[$1]
      if (!($3 in all)) order[++areas] = $3
      all[$3]++; rows++
      if (state == "tested") { done[$3]++; good++ } }
    END { print ""
          for (i = 1; i <= areas; i++) printf "%-42s %3d of %3d\n", order[i], done[order[i]], all[order[i]]
          printf "%d of %d rows have a test that names them\n", good, rows }' "$found" docs/features.tsv
