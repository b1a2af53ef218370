#!/usr/bin/env bash
# Checks every #include "folder/..." under src/ against the table in src/LAYERS.
set -eu
cd "$(dirname "$0")/.."
awk '
    FILENAME == "src/LAYERS" {
        if ($0 ~ /^#/ || NF == 0) next
        split($0, half, ":"); from = half[1]
        n = split(half[2], to, " ")
        known[from] = 1; may[from, from] = 1
        for (i = 1; i <= n; i++) may[from, to[i]] = 1
        next
    }
    match($0, /^[ \t]*#[ \t]*include[ \t]*"[^"]+"/) {
        split(FILENAME, path, "/"); from = path[2]
        inc = $0; sub(/^[^"]*"/, "", inc); sub(/".*/, "", inc)
        if (split(inc, piece, "/") < 2) next      # generated, beside the sources
        if (!(from in known)) { print FILENAME ": folder " from " is not in src/LAYERS"; bad = 1; next }
        if (!((from, piece[1]) in may)) { print FILENAME ":" FNR ": " from " may not include " inc; bad = 1 }
    }
    END { exit bad }
' src/LAYERS $(find src -name '*.[ch]' -o -name '*.cc')
