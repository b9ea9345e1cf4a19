#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The control socket without lpctl: wrong types, unknown keys, what is no D-Bus at all.
set -u
. "$(dirname "$0")/lib.sh"

call() { timeout 30 python3 "$HERE/dbus-call.py" "$LIBVIRT_PROVIDER_SOCKET" "$@"; }
bytes() { call --bytes "$@"; }

# answers NAME PATTERN MEMBER [TYPE JSON]...: the answer to a call.
answers() { like "$1" "$(call "${@:3}" 2>&1)" "$2"; }

# creation NAME PATTERN JSON: the answer to a CreateMachine with this specification.
creation() { answers "$1" "$2" CreateMachine "a{sv}" "$3"; }

INVALID=org.libvirtprovider.Error.InvalidRequest
begin_provider
before=$(state_of_everything)

say calls
answers "a call" ok GetStatus
answers "unknown method" "*.UnknownMethod: *" NoSuch
answers "missing argument" "*.InvalidArgs: *" ListDevices
answers "argument of another type" "*.InvalidArgs: *" ListDevices s '"x"'
answers "too many arguments" "*.InvalidArgs: *" GetStatus s '"x"'
answers "explain of nothing" "*.NotFound: no thing 'x'" Explain s '"thing"' s '"x"'
answers "options of another type" "$INVALID: 'force' must be of D-Bus type b" StopMachine s '"x"' "a{sv}" '{"force": ["s", "x"]}'
answers "unknown option" "$INVALID: unknown key 'x'" DeleteMachine s '"x"' "a{sv}" '{"x": ["b", 1]}'
answers "try of no operation" "$INVALID: 'x' is no operation: start, stop or delete" TryOperation s '"x"' s '"a"' "a{sv}" '{}'
answers "try with another's option" "$INVALID: unknown key 'force'" TryOperation s '"start"' s '"a"' "a{sv}" '{"force": ["b", 1]}'
answers "try of no machine" "*.NotFound: no machine 'a'" TryOperation s '"stop"' s '"a"' "a{sv}" '{"force": ["b", 1]}'
answers "try of an empty create" "$INVALID: a machine needs name and class" TryCreate "a{sv}" '{}'
answers "unknown device" "*.NotFound: no device 'x'*" SetCordoned s '"x"' b 1
answers "a boolean of 2 is one or none" "*" SetCordoned s '"0000:01:00.0"' b 2
answers "and can be taken back" ok SetCordoned s '"0000:01:00.0"' b 0

say machines
creation "nothing" "$INVALID: a machine needs name and class" '{}'
creation "no class" "$INVALID: a machine needs name and class" '{"name": ["s", "vm1"]}'
creation "name of another type" "$INVALID: 'name' must be of D-Bus type s" '{"name": ["u", 1], "class": ["s", "tiny"]}'
creation "unknown key" "$INVALID: unknown key 'x'" '{"name": ["s", "vm1"], "class": ["s", "tiny"], "x": ["s", ""]}'
creation "labels of another type" "$INVALID: 'labels' must be of D-Bus type a{ss}" \
    '{"name": ["s", "vm1"], "class": ["s", "tiny"], "labels": ["as", []]}'
creation "name with a line end" "$INVALID: *no name for a machine*" '{"name": ["s", "a\nb"], "class": ["s", "tiny"]}'
printf '{"name": ["s", "vm1"], "class": ["s", "tiny"], "labels": ["a{ss}", {"x": "%s"}]}' \
    "$(head -c 300000 /dev/zero | tr '\0' x)" >"$WORK/labels.json"
creation "labels of 300 KB" "$INVALID: labels and annotations are larger than 256 KiB" "@$WORK/labels.json"
like "text that is no UTF-8 ends the connection or is refused" \
    "$(call CreateMachine "a{sv}" '{"name": ["s", "a\udcff"], "class": ["s", "tiny"]}' 2>&1)" "*[a-z]*"
answers "nil uuid" "$INVALID: '00000000-0000-0000-0000-000000000000' is no uuid of a machine: *" TryCreate "a{sv}" \
    '{"name": ["s", "vm1"], "class": ["s", "tiny"], "uuid": ["s", "00000000-0000-0000-0000-000000000000"]}'
answers "a template that is none" "$INVALID: domain template, line 1: *" RenderMachine "a{sv}" \
    '{"name": ["s", "vm1"], "class": ["s", "tiny"], "template": ["s", "x"]}'
call StartMachine s '"x\nlibvirt-provider: warning: forged"' >/dev/null
is "a name cannot write lines of the log" "$(grep -c '^libvirt-provider: warning: forged' "$PROVIDER_LOG")" 0
is "nothing has changed" "$(state_of_everything)" "$before"

say no D-Bus
hex() { od -An -v -tx1 | tr -d ' \n'; }
HELLO=$(printf '\0AUTH EXTERNAL\r\nDATA\r\n' | hex)
BEGIN=$(printf 'BEGIN\r\n' | hex)
for bytes in "$(printf 'GET / HTTP/1.0\r\n\r\n' | hex)" "$(printf '\0AUTH ANONYMOUS\r\n' | hex)" \
    "00$(printf 'A%.0s' {1..20000} | hex)" "$HELLO" "$HELLO $BEGIN$(head -c 200 /dev/urandom | hex)" \
    "$HELLO ${BEGIN}6c010001ffffff7f01000000ffffff7f"; do
    # shellcheck disable=SC2086 # several chunks
    check "${bytes:0:32}... is survived" bytes $bytes
done
is "nothing has changed" "$(state_of_everything)" "$before"

say clients that come and go
open_files() { find "/proc/$PROVIDER_PID/fd" | wc -l; }
lets_go() { [ "$(open_files)" -le $((files + 2)) ]; }
files=$(open_files)
for _ in $(seq 100); do lpctl status >/dev/null; done
check "after a hundred clients no file is left open" eventually 10 lets_go

finish_provider
