# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Sourced by tests in shell: tests that report by TAP, and waiting.

# eventually SECONDS COMMAND...: repeats the command until it succeeds, at most that long.
eventually() {
    local deadline=$((SECONDS + $1))
    shift
    until "$@" >/dev/null 2>&1; do
        [ $SECONDS -lt $deadline ] || return 1
        sleep 0.1
    done
}

tap_count=0
tap_failed=0
tap_output=$(mktemp)

say() { echo "# [${SECONDS}s] $*"; }

# check NAME COMMAND...: one test, passed if the command succeeds; its output is shown if it does not.
check() {
    local name=$1 verdict=ok
    shift
    "$@" >"$tap_output" 2>&1 || verdict="not ok"
    tap_count=$((tap_count + 1))
    echo "$verdict $tap_count - $name"
    [ "$verdict" = ok ] && return
    tap_failed=$((tap_failed + 1))
    [ -s "$tap_output" ] || echo "failed: $*" >"$tap_output"
    head -n 40 "$tap_output" | cut -c -400 | sed 's/^/#   /'
}

equal() {
    [ "$1" = "$2" ] && return
    diff -U0 <(echo "$1") <(echo "$2") | sed '1,2d; /^@@/d; s/^-/got:  /; s/^+/want: /'
    return 1
}
# shellcheck disable=SC2053 # $2 is a pattern
matches() { [[ $1 == $2 ]] || { printf 'got:  %s\nwant: %s\n' "$1" "$2" && false; }; }

# is NAME GOT WANT; like NAME GOT PATTERN
is() { check "$1" equal "$2" "$3"; }
like() { check "$1" matches "$2" "$3"; }

# refused NAME STATUS PATTERN COMMAND...: the command must fail with this exit status and such a message.
refused() {
    local name=$1 want=$2 pattern=$3 output status=0
    shift 3
    output=$("$@" 2>&1 >/dev/null) || status=$?
    like "$name" "exit $status: $output" "exit $want: $pattern"
}

give_up() { echo "Bail out! $*" && exit 1; }

# tap_end: the plan; the status of the script.
tap_end() {
    rm -f "$tap_output"
    echo "1..$tap_count"
    exit $((tap_failed > 0))
}
