#!/usr/bin/env bash
# run_tests.sh BUILD UNIT_PROGRAM... : unit programs, then the CI share of the fault tests, then every live and browser test. Last line: N passed, N failed, N skipped.
#
# A live test is a program in tests/live (or tests/fault, tests/browser) that takes the build folder as its argument, starts what it needs on
# free loopback ports, prints one line a case (ok NAME / not ok NAME: why / skip NAME: why), and exits 0 unless a case failed.
set -u
cd "$(dirname "$0")/.."
build=$1; shift
passed=0 failed=0 skipped=0
log=$build/test-logs; rm -rf "$log"; mkdir -p "$log"

unit=$(tools/run_unit.sh "$@"); unit_rc=$?
printf '%s\n' "$unit" | grep -v ' passed, ' || true
counts=$(printf '%s\n' "$unit" | tail -1)
passed=$(echo "$counts" | cut -d' ' -f1) failed=$(echo "$counts" | cut -d' ' -f3)
echo "unit tests: $counts"
[ $unit_rc -eq 0 ] || [ "$failed" -gt 0 ] || failed=1

for program in tests/fault/*_test.* tests/live/*_test.* tests/browser/*_test.*; do
    [ -f "$program" ] || continue
    name=$(basename "$program")
    case $name in
        *.py) run="/usr/bin/python3 $program" ;;
        *.mjs) run="node $program" ;;
        *.sh) run="bash $program" ;;
        *) continue ;;
    esac
    start=$(date +%s)
    timeout "${LIVE_TIMEOUT:-900}" $run "$build" >"$log/$name.log" 2>&1; rc=$?
    p=$(grep -c '^ok ' "$log/$name.log"); f=$(grep -c '^not ok ' "$log/$name.log"); s=$(grep -c '^skip ' "$log/$name.log")
    [ $rc -eq 0 ] || [ "$f" -gt 0 ] || f=1
    [ $((p + f + s)) -gt 0 ] || { f=1; echo "$name printed no case"; }
    passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s))
    echo "$name: $p passed, $f failed, $s skipped in $(($(date +%s) - start)) s"
    grep '^skip ' "$log/$name.log" | sed 's/^/  SKIPPED: /'
    [ "$f" -eq 0 ] || { grep '^not ok ' "$log/$name.log" | sed 's/^/  /'; tail -30 "$log/$name.log" | sed 's/^/  | /'; }
done
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ]
