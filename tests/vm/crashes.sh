#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The provider is killed at each step of a create and of a delete, libvirtd in its hooks: what was under way is undone
# or finished, and the device is where it belongs.
set -u
. "$(dirname "$0")/guest.sh"
. "$(dirname "$0")/stalls.sh"

UNBIND=bus/pci/drivers/e1000e/unbind UNBIND_VFIO=bus/pci/drivers/vfio-pci/unbind PROBE=bus/pci/drivers_probe

libvirtd_signal() { kill -s "$1" "$(cat /run/libvirtd.pid)"; }
explained() { lpctl machine explain vm1 | grep -F "Operation $1."; }
begin_create() { lpctl machine create vm1 --class nic-small >/run/client.out 2>&1 & client=$!; }
# begin_delete COMMAND...: of a machine that runs, after the command; begin_delete_off: of one that is off.
begin_delete() {
    lpctl machine create vm1 --class nic-small >/dev/null 2>&1
    delete_after "$@"
}
begin_delete_off() {
    lpctl machine create vm1 --class nic-small --no-start >/dev/null 2>&1
    delete_after "$@"
}
delete_after() {
    "$@"
    lpctl machine delete vm1 >/run/client.out 2>&1 & client=$!
}

# it_is_over: what was cut off is undone or finished.
it_is_over() {
    check "no machine and no domain is left" eventually 60 no_machine_is_left
    is "nic1 is back" "$(driver_of "$nic1") $(override_of "$nic1")" "e1000e (null)"
    check "nic1 is free" eventually 60 device_is_free "$nic1"
}

# kill_provider UNDER_WAY COMMAND...: ... while an operation is at this step; the command ends what stood still.
kill_provider() {
    is "the operation is at this step" "$(explained "$1")" "Operation $1."
    shift
    provider_stop KILL
    wait $client
    "$@"
    check "the provider starts again" provider_start
    it_is_over
}

# kill_before_access UNDER_WAY: ... while an access waits that will never happen.
kill_before_access() {
    check "the access waits" eventually 60 is_stalled
    kill_provider "$1" lose_access
}

# kill_in_flight UNDER_WAY DRIVER: ... while a write is in flight, which happens when a new provider is there.
kill_in_flight() {
    check "the access waits" eventually 60 is_stalled
    is "the operation is at this step" "$(explained "$1")" "Operation $1."
    provider_stop KILL
    wait $client
    check "the provider starts again" provider_start
    check "it sees that a write is in flight" eventually 60 is_blocked "$nic1"
    check "and that the machine has to wait" eventually 60 machine_is vm1 failed
    like "and says why" "$(machine vm1 .reason)" "*$nic1*not returned from the kernel*"
    is "the device is left alone" "$(driver_of "$nic1")" "$2"
    let_write
    it_is_over
}

# kill_libvirtd_in_hook OPERATION: ... of vm1, for which a client waits.
kill_libvirtd_in_hook() {
    check "the hook waits" eventually 60 hook_waits vm1 "$1"
    kill_libvirtd
    wait $client
    like "the client is told" "$? $(cat /run/client.out)" "[1-9]*libvirt*"
    release_hook vm1 "$1"
    check "libvirtd starts again" start_libvirtd
    it_is_over
}

prepare_stalls # before libvirtd, which looks for hooks when it starts
begin_provider
for address in $nic2 $nic5 $fn0; do lpctl device cordon "$address"; done
OVERRIDE=bus/pci/devices/$nic1/driver_override

say create: reserved
stall "$OVERRIDE"
begin_create
kill_before_access "create is under way, resources are reserved"
say create: prepared
stall "$OVERRIDE"
begin_create
eventually 60 is_stalled && let_read stall_next
kill_before_access "create is under way, resources are prepared"
say create: the override is set
stall $UNBIND
begin_create
kill_before_access "create is under way, resources are prepared"
say create: unbound, and the probe is in flight
stall $PROBE
begin_create
kill_in_flight "create is under way, resources are prepared" ""
say create: committed
stall $PROBE
begin_create
check "the access waits" eventually 60 is_stalled
libvirtd_signal STOP
let_write
check "the resources are taken" eventually 60 explained "create is under way, resources are committed"
kill_provider "create is under way, resources are committed" libvirtd_signal CONT
say create: libvirt is in hook started
hold_hook vm1 started
begin_create
check "the hook waits" eventually 60 hook_waits vm1 started
kill_provider "create is under way, resources are committed" release_hook vm1 started

say delete: nothing has happened
begin_delete_off libvirtd_signal STOP
check "the delete is under way" eventually 60 explained "delete is under way, resources are committed"
kill_provider "delete is under way, resources are committed" libvirtd_signal CONT
say delete: libvirt is in hook stopped
begin_delete hold_hook vm1 stopped
check "the hook waits" eventually 60 hook_waits vm1 stopped
kill_provider "delete is under way, resources are committed" release_hook vm1 stopped
for file in "bus/pci/devices/$nic1/reset" "$OVERRIDE" $PROBE; do
    say "delete: before ${file##*/}"
    begin_delete_off stall "$file"
    kill_before_access "delete is under way, resources are committed"
done
say delete: before the override is cleared
begin_delete_off stall "$OVERRIDE"
eventually 60 is_stalled && let_write stall_next
eventually 60 is_stalled && let_read stall_next
kill_before_access "delete is under way, resources are committed"
say delete: the unbind is in flight
begin_delete_off stall $UNBIND_VFIO
kill_in_flight "delete is under way, resources are committed" vfio-pci

say libvirtd is killed in hook start
hold_hook vm1 start
begin_create
kill_libvirtd_in_hook start
say libvirtd is killed in hook stopped
begin_delete hold_hook vm1 stopped
kill_libvirtd_in_hook stopped

all_is_back
finish
