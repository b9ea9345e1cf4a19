#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The daemon is stopped while operations are under way: they are ended and their clients answered; what takes too
# long is told to go on at the next start, and does.
set -u
. "$(dirname "$0")/lib.sh"

# As many cards as operations run at a time.
CARDS=()
for i in 0 1 2 3 4 5 6 7; do
    make_pci 0000:10:0$i.0 8086 100e 020000 1$i
    CARDS+=("0000:10:0$i.0")
done
sed -i 's/      - {id: "0x10d3".*/&\n      - {id: "0x100e", type: nic, name: 82540em}/' "$WORK/pci_devices.yaml"
echo '- {name: card, capabilities: {cpu: 1m, memory: 1Mi, nic.intel/82540em: 1}}' >>"$WORK/classes.yaml"

# begin NAME CLASS: creates a machine in the background, with what comes of it in $WORK/NAME.
begin() {
    {
        timeout 60 lpctl machine create "$1" --class "$2" -c name,state --no-headers 2>&1
        echo "exit $?"
    } >"$WORK/$1" &
    CREATORS+=($!)
}
CREATORS=()
creating() { lpctl machine list -c state --no-headers | grep -cx creating; }
all_are_creating() { [ "$(creating)" = "$1" ]; }

say operations that end in time
begin_provider
hold "${CARDS[@]}"
for i in 1 2 3 4 5 6 7 8; do begin vm$i card; done
check "eight are under way" eventually 20 all_are_creating 8
begin vm9 tiny
kill -TERM "$PROVIDER_PID"
is_refused() { lpctl machine create vm10 --class tiny 2>&1 | grep -q 'vm10: libvirt-provider is being stopped'; }
check "no other is begun" eventually 10 is_refused
refused "but told to come again" 4 "lpctl: vm10: libvirt-provider is being stopped: nothing is begun, try again *" \
    lpctl machine create vm10 --class tiny
kill -TERM "$PROVIDER_PID"
check "what it knows it still tells, after a second signal, too" all_are_creating 8
let_go "${CARDS[@]}"
wait "$PROVIDER_PID"
is "it ends with 0" $? 0
PROVIDER_PID=
wait "${CREATORS[@]}"
is "each client has its answer" "$(cd "$WORK" && cat vm[1-8])" "$(for i in 1 2 3 4 5 6 7 8; do
    echo "vm$i  running"
    echo "exit 0"
done)"
like "what waited was not begun" "$(cat "$WORK/vm9")" "lpctl: vm9: libvirt-provider is being stopped: nothing is begun, *"$'\n'"exit 4"
begin_provider
is "the next start has them all, and no other" "$(lpctl machine list -o name | xargs)" "vm1 vm2 vm3 vm4 vm5 vm6 vm7 vm8"
is "each with a card of its own" "$(lpctl machine list -o json | jq -r '.machines[].devices[]' | sort -u | xargs)" "${CARDS[*]}"
is "no operation is left over" "$(lpctl machine list -c state --no-headers | grep -cE 'creating|failed|deleting')" 0
check "they are deleted" lpctl machine delete vm1 vm2 vm3 vm4 vm5 vm6 vm7 vm8

say an operation that takes longer
CREATORS=()
hold 0000:01:00.0 0000:02:00.0
begin vm1 nic
check "it is under way" eventually 20 all_are_creating 1
check "the daemon ends with 0 all the same" provider_stop
PROVIDER_PID=
wait "${CREATORS[@]}"
like "the client is told what becomes of it" "$(cat "$WORK/vm1")" \
    "lpctl: vm1: libvirt-provider on * went away meanwhile: what was begun is finished or undone at its next start; lpctl machine show, *"$'\n'"exit 8"
let_go 0000:01:00.0 # what still waits
rm "$(override_of 0000:02:00.0)" && make_file sys/bus/pci/devices/0000:02:00.0/driver_override vfio-pci
begin_provider
no_machine() { [ -z "$(lpctl machine list -o name)" ]; }
check "the next start undoes it" eventually 20 no_machine
check "its card is free" eventually 20 device_is_free 0000:01:00.0

say a look at the host and a reload that are under way
for i in $(seq 3000); do echo "- {name: c$i, capabilities: {cpu: 1m, memory: 1Mi}}"; done >>"$WORK/classes.yaml" # they take long
for _ in 1 2 3; do
    kill -s HUP "$PROVIDER_PID"
    check "the daemon ends with 0" provider_stop
    PROVIDER_PID=
    begin_provider
done

finish_provider
