# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2034 # used by who sources it
# Sourced by the scripts that run a target, with its NAME such as fuzz-quantity: its limits and its seeds.

fuzz_folder=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
seeds=("$fuzz_folder/corpus/${name#fuzz-}")
# A finding must not end with 77, which meson takes for a test that was skipped.
options=(-timeout=10 -rss_limit_mb=1024 -malloc_limit_mb=256 -max_len=4096 -error_exitcode=1 -timeout_exitcode=1)
# What was freed is watched for less long than usual: it costs most of the time.
export ASAN_OPTIONS=${ASAN_OPTIONS:+$ASAN_OPTIONS:}quarantine_size_mb=16:thread_local_quarantine_size_kb=64
export UBSAN_OPTIONS=halt_on_error=1:abort_on_error=1:print_stacktrace=1 G_DEBUG=fatal-criticals
dictionary=$fuzz_folder/corpus/${name#fuzz-}.dict
[ ! -f "$dictionary" ] || options+=("-dict=$dictionary")
