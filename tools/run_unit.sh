#!/usr/bin/env bash
# Runs cmocka programs one after the other; the last line counts tests, as `make test` wants it.
set -u
passed=0 failed=0
for bin in "$@"; do
    out=$(CMOCKA_MESSAGE_OUTPUT=stdout timeout "${UNIT_TIMEOUT:-300}" "$bin" 2>&1); rc=$?
    p=$(printf '%s\n' "$out" | grep -c '^\[       OK \]')
    f=$(printf '%s\n' "$out" | sed -n 's/^\[  FAILED  \] \([a-z_0-9]*\)$/\1/p' | sort -u | wc -l)
    if [ $rc -ne 0 ]; then
        [ "$f" -gt 0 ] || f=1
        printf '%s\n' "$out" | grep -E "^\[  ERROR|^\[   LINE|^\[  FAILED|Sanitizer|runtime error|bug at" | head -40
        printf '%s\n' "$out" | tail -40
        echo "FAILED: $bin (exit $rc)"
    fi
    passed=$((passed + p)) failed=$((failed + f))
done
echo "$passed passed, $failed failed, 0 skipped"
[ $failed -eq 0 ]
