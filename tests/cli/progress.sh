#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The progress of an operation that takes longer than a second: on a terminal, one line that goes away; nothing where
# standard error is none.
set -u
. "$(dirname "$0")/lib.sh"

# on_terminal COMMAND...: its three standard files are a terminal; what comes there is on stdout.
on_terminal() {
    python3 -c 'import os, pty, sys
sys.exit(os.waitstatus_to_exitcode(pty.spawn(sys.argv[1:])))' "$@" </dev/null
}
is_shown() { grep -q ' \.\.\.' "$WORK/$1"; }
is_creating() { machine_is "$1" creating; }
# What has come to a terminal after the line was last cleared.
left_on() {
    local text
    text=$(tr -d '\r' <"$WORK/$1")
    echo "${text##*$'\e[K'}"
}

begin_provider
hold 0000:01:00.0 0000:02:00.0 0000:03:00.0

say an operation that goes on
# This one is older than the next, so its second is over when the next shows that its own is.
lpctl machine create file --class nic >"$WORK/stdout" 2>"$WORK/stderr" &
FILE_PID=$!
check "one without a terminal is under way" eventually 20 is_creating file
on_terminal lpctl machine create terminal --class nic >"$WORK/terminal" &
TERMINAL_PID=$!
check "one on a terminal shows its progress" eventually 20 is_shown terminal
like "which is what it does" "$(cat -v "$WORK/terminal")" "^M^\[\[K[a-z]* ..."
is "the other has said nothing" "$(cat "$WORK/stdout" "$WORK/stderr")" ""
on_terminal lpctl machine create late --class gpu --wait 2 >"$WORK/late"
is "one with a time ends with 3" $? 3
check "it has shown its progress" is_shown late
like "and only what it has to say is left" "$(left_on late)" "lpctl: late: not done after 2 s (*); it goes on"

say its end
let_go 0000:01:00.0 0000:02:00.0 0000:03:00.0
wait "$FILE_PID"
is "the one without a terminal ends with 0" $? 0
is "and has said nothing" "$(cat "$WORK/stdout" "$WORK/stderr")" ""
wait "$TERMINAL_PID"
is "the one on a terminal ends with 0" $? 0
is "and nothing is left there" "$(left_on terminal)" ""

say an operation that is quick
on_terminal lpctl machine create quick --class tiny >"$WORK/quick"
is "it ends with 0" $? 0
is "nothing is left there" "$(left_on quick)" ""
on_terminal lpctl machine create quick --class tiny >"$WORK/quick"
is "one that fails at once ends as ever" $? 9
like "and says just why" "$(left_on quick)" "lpctl: quick: a machine named quick exists already: *"
machine_runs() { machine_is late running; }
check "what goes on is ended, too" eventually 20 machine_runs

finish_provider
