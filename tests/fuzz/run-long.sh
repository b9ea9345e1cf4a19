#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# run-long.sh SECONDS [TARGET...]: runs targets (all, or such as "quantity") so long each, two at a time, from a
# build folder with fuzzers (BUILD, build-asan). Corpus, log and findings of each stay in FINDINGS, by default
# libvirt-provider-fuzz in the temporary folder, and the next run goes on from there. Fails if anything was found.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
build=${BUILD:-$here/../../build-asan}
findings=${FINDINGS:-${TMPDIR:-/tmp}/libvirt-provider-fuzz}

[ $# -ge 1 ] || { sed -n '3,5s/^# //p' "$0" >&2 && exit 2; }
export seconds=$1 here build findings
shift
targets=("$@")
[ $# -gt 0 ] || mapfile -t targets < <(find "$here/corpus" -mindepth 1 -type d -printf '%f\n' | sort)

run_target() {
    local name=fuzz-$1 folder=$findings/$1 verdict options seeds
    # shellcheck source=/dev/null
    . "$here/options.sh"
    mkdir -p "$folder/corpus"
    "$build/tests/fuzz/$name" "${options[@]}" -max_total_time="$seconds" -artifact_prefix="$folder/" \
        -print_final_stats=1 "$folder/corpus" "${seeds[@]}" >"$folder/log" 2>&1 && verdict=clean || verdict=FOUND
    echo "$1: $verdict, $(sed -n 's/^stat::number_of_executed_units: *//p' "$folder/log") executions," \
        "coverage $(grep -o 'cov: [0-9]*' "$folder/log" | tail -1 | cut -c6-), see $folder/log"
    [ "$verdict" = clean ]
}
export -f run_target

printf '%s\n' "${targets[@]}" | xargs -P 2 -I TARGET bash -c 'run_target TARGET'
