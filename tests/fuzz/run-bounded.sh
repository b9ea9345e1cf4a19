#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# run-bounded.sh PROGRAM [SECONDS]: runs one target over its seeds and then for some seconds (10), the same way each
# time. What it finds is kept in the folder of the program.
set -euo pipefail
program=$1
name=$(basename "$program")
# shellcheck source=tests/fuzz/options.sh
. "$(dirname "$0")/options.sh"
corpus=$(mktemp -d)
trap 'rm -rf "$corpus"' EXIT
"$program" "${options[@]}" -seed=1 -max_total_time="${2:-10}" -artifact_prefix="$program-" -verbosity=0 \
    "$corpus" "${seeds[@]}"
