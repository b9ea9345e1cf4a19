#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Many at once, and ends in the middle: a device goes to one, every other is told why not, and nothing is lost.
set -u
. "$(dirname "$0")/lib.sh"

# at_once N COMMAND...: runs the command N times at once, with @ for the number; sets $statuses to "COUNTxSTATUS ...".
at_once() {
    local i count=$1
    shift
    : >"$WORK/statuses"
    : >"$WORK/output"
    (
        for i in $(seq "$count"); do
            (timeout 60 "${@//@/$i}" >/dev/null 2>>"$WORK/output"; echo $? >>"$WORK/statuses") &
        done
        wait
    )
    statuses=$(sort -n "$WORK/statuses" | uniq -c | awk '{printf "%s%sx%s", sep, $1, $2; sep = " "}')
}

# only STATUS...: no other was seen.
only() { ! grep -vxF "$(printf '%s\n' "$@")" "$WORK/statuses"; }

everything_is_free() {
    is "no machine is left" "$(lpctl machine list -o name)" ""
    is "all devices are free" "$(lpctl device list -c state,machine -o csv --no-headers | sort -u)" free,
    is "all of the rest, too" "$(lpctl source list -o json | jq -r '.sources[].resources[] | select(.total != .available)')" ""
}

begin_provider

say clients at once
at_once 50 lpctl machine create vm@ --class gpu
is "fifty want the only GPU: one gets it, the others may try later" "$statuses" "1x0 49x4"
like "they are told who has it" "$(head -n 1 "$WORK/output")" "*0000:03:00.0 is held by vm*"
is "there is one machine" "$(lpctl machine list -o name | wc -l)" 1
winner=$(lpctl machine list -o name)
at_once 20 lpctl machine delete "$winner"
check "twenty delete it: it is gone, or about to be" only 0 4 10
is "one of them has done it" "$(grep -cx 0 "$WORK/statuses")" 1
everything_is_free

at_once 20 lpctl machine create vm1 --class tiny
is "twenty create one name: one does" "$statuses" "1x0 19x9"
at_once 20 lpctl machine create vm2 --class tiny --uuid 8189bcce-0359-4a06-9d7a-efce049b294d
check "twenty create one uuid: it is there, or about to be" only 0 4
at_once 20 lpctl machine create vm3-@ --class tiny --uuid 8189bcce-0359-4a06-9d7a-efce049b294e
is "twenty create one uuid under other names: one does" "$statuses" "1x0 19x9"
at_once 100 lpctl machine create vm4-@ --class tiny
is "a hundred are created" "$statuses" "100x0"
is "they are there" "$(lpctl machine list -o name | wc -l)" 103
lpctl machine list -o name | xargs lpctl machine delete
everything_is_free

disorder=(create delete stop start reload list)
disturb() {
    case ${disorder[$1 % 6]} in
    create) lpctl machine create vm1 --class nic ;;
    reload) lpctl reload ;;
    list) lpctl device list --all ;;
    stop) lpctl machine stop vm1 --force ;;
    *) lpctl machine "${disorder[$1 % 6]}" vm1 ;;
    esac
}
export -f disturb
at_once 60 bash -c "$(declare -p disorder); disturb @"
check "all on one machine: done, busy, there or not there" only 0 4 9 10
lpctl machine delete vm1 >"$WORK/output" 2>&1
everything_is_free

say clients that are killed
no_operation_is_under_way() { ! lpctl machine list -o json | grep -E 'creating|deleting'; }
for i in $(seq 10); do
    lpctl machine create "vm$i" --class tiny 2>/dev/null &
    sleep "0.00$((i % 10))" # each is killed at another moment
    kill -9 $!
    wait $! 2>/dev/null
done
check "what they have begun is ended" eventually 20 no_operation_is_under_way
is "all is well with what is there" "$(lpctl machine list -c state -o csv --no-headers | sort -u | grep -v running)" ""
lpctl machine list -o name | xargs -r lpctl machine delete
everything_is_free

say a daemon that is killed
for i in $(seq 10); do
    lpctl machine create vm1 --class nic >"$WORK/output" 2>&1 &
    creator=$!
    sleep "0.00$((i % 10))"
    provider_stop KILL
    wait $creator
    status=$?
    check "killed in a create $i: the client is told (it ended with $status)" test $status = 0 -o $status = 8
    check "killed in a create $i: the daemon starts again" provider_start
    check "killed in a create $i: it finishes or undoes it" eventually 20 no_operation_is_under_way
    lpctl machine delete vm1 2>/dev/null
    deleted=$?
    check "killed in a create $i: what was acknowledged is there" test $status != 0 -o $deleted = 0
done
everything_is_free

finish_provider
