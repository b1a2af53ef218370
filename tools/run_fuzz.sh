#!/usr/bin/env bash
# run_fuzz.sh BUILD SECONDS tests/fuzz/NAME_fuzz.c... : each target on its seeds, for SECONDS. Any crash, leak or hang fails.
set -u
build=$1 seconds=$2; shift 2
passed=0 failed=0
for source in "$@"; do
    name=$(basename "$source" _fuzz.c)
    work=$(mktemp -d)
    mkdir -p "$work/corpus" "tests/fuzz/corpus/$name"
    out=$("$build/fuzz_${name}_fuzz" -max_total_time="$seconds" -timeout=5 -rss_limit_mb=2048 -max_len=65536 -print_final_stats=1 \
        -artifact_prefix="$work/" "$work/corpus" "tests/fuzz/corpus/$name" 2>&1)
    if [ $? -eq 0 ]; then
        passed=$((passed + 1))
        printf '%-16s %s executions\n' "$name" "$(printf '%s\n' "$out" | sed -n 's/^stat::number_of_executed_units: *//p')"
        rm -rf "$work"
    else
        failed=$((failed + 1))
        printf '%s\n' "$out" | tail -40
        echo "FAILED: $name (artifacts in $work)"
    fi
done
echo "$passed passed, $failed failed, 0 skipped"
[ $failed -eq 0 ]
