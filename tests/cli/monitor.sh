#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# monitor: events as they come, and the last ones that are kept.
set -u
. "$(dirname "$0")/lib.sh"

# watch FILE ARGUMENT...: runs monitor in the background, with its output in FILE.
watch() {
    lpctl monitor "${@:2}" >"$1" 2>"$1.errors" &
    WATCHER=$!
}
# until_line FILE PATTERN: waits until a line of FILE matches.
until_line() { eventually 10 grep -qE -- "$2" "$1"; }
end_watch() { kill -INT $WATCHER && wait $WATCHER; }
TIME='[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{8}\.[0-9]{6}Z'

begin_provider
FREE=$(lpctl device list -o json | jq -r 'first(.devices[] | select(.state == "free" and .conditions == [])).id')
say live
watch "$WORK/live" --last=0
is_told() { lpctl device cordon "$FREE" && lpctl device uncordon "$FREE" && [ -s "$WORK/live" ]; }
check "it follows" eventually 10 is_told
check "a machine is created" lpctl machine create vm1 --class nic
check "and is told" until_line "$WORK/live" "^$TIME machine vm1: creating -> running: -\$"
check "its device, too" until_line "$WORK/live" "^$TIME device [0-9a-f:.]+: bound -> in-use: -\$"
check "it is deleted" lpctl machine delete vm1
check "and is told" until_line "$WORK/live" "^$TIME machine vm1: deleting -> -: -\$"
check "interrupted it ends well" end_watch
is "without a word" "$(cat "$WORK/live.errors")" ""

say kept
watch "$WORK/kept" --last=10000 -o json
check "all of before is there" until_line "$WORK/kept" '"subject":"vm1"'
eventually 10 sh -c "[ \$(wc -l <'$WORK/kept') -ge \$(wc -l <'$WORK/live') ]"
check "each line is JSON" jq -es 'map(.id) == (map(.id) | sort | unique)' "$WORK/kept"
is "a state that is not there is left out" \
    "$(jq -r 'select(.subject == "vm1" and .to == null) | .from' "$WORK/kept")" deleting
end_watch
watch "$WORK/yaml" --last=1 -o yaml
check "YAML comes in documents" until_line "$WORK/yaml" '^---$'

say the end
check "the provider ends" provider_stop
PROVIDER_PID=
wait $WATCHER
is "monitor ends with it" $? 8
like "and says so" "$(cat "$WORK/yaml.errors")" "lpctl: libvirt-provider on * went away"
begin_provider
watch "$WORK/again" --last=3
check "events outlive it" until_line "$WORK/again" "machine vm1: deleting -> -: -"
end_watch

say no output
# cannot_write NAME MESSAGE COMMAND...: it ends with 1.
cannot_write() { refused "$1" 1 "lpctl: cannot write the output: $2" "${@:3}"; }
to_full() { timeout 10 lpctl monitor "$@" >/dev/full; }
to_closed() { timeout 10 lpctl monitor "$@" >&-; }
cannot_write "full disk" "No space left on device" to_full --last=3
cannot_write "full disk, as JSON" "No space left on device" to_full --last=3 -o json
cannot_write "closed standard output" "Bad file descriptor" to_closed
cannot_write "closed standard output, and events" "Bad file descriptor" to_closed --last=3
cordon_until_end() { lpctl device cordon "$FREE" && lpctl device uncordon "$FREE" && ! kill -0 $WATCHER; }
lpctl monitor >/dev/full 2>"$WORK/full.errors" &
WATCHER=$!
check "it ends at the first event that cannot be written" eventually 10 cordon_until_end
kill $WATCHER 2>/dev/null
wait $WATCHER
is "with 1" $? 1
is "and the reason" "$(cat "$WORK/full.errors")" "lpctl: cannot write the output: No space left on device"
like "head -n 1 has its line" "$(timeout 10 lpctl monitor --last=3 2>"$WORK/head.errors" | head -n 1
    echo "exit ${PIPESTATUS[0]}")" "*T*Z *"$'\n'"exit 141"
is "and no word on stderr" "$(cat "$WORK/head.errors")" ""
is "nor without an event, where nobody reads" "$(to_nobody timeout 10 lpctl monitor)" "exit 141: "

say bad input
refused "wrong number" 2 "lpctl: --last must be a number from 0 to 10000, but is 'x'" lpctl monitor --last=x
refused "format of rows" 2 "*" lpctl monitor -o csv
refused "a word too many" 2 "*" lpctl monitor vm1
finish_provider
