#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# What goes wrong around the provider leaves nothing half-done: no vfio-pci, libvirtd that dies, and a provider that
# is killed in the middle of a create.
set -u
. "$(dirname "$0")/guest.sh"

nics_are_back() {
    local address
    for address in $nic1 $nic2 $nic5; do
        equal "$address $(driver_of "$address") $(override_of "$address")" "$address e1000e (null)" || return
        equal "$address $(device "$address" .state)" "$address free" || return
    done
}

no_operation_is_under_way() {
    ! lpctl machine list -o json | jq -e '.machines[] | select(.state == "creating" or .state == "deleting")'
}

begin_provider

say no vfio-pci
echo "install vfio-pci /bin/false" >/etc/modprobe.d/no-vfio-pci.conf
modprobe -r vfio-pci
refused "a create without vfio-pci fails" "[145]" "*vfio-pci*" lpctl machine create vm1 --class nic-small
check "nothing is left of it" no_machine_is_left
for address in $nic1 $nic2 $nic5; do is_back "$address" e1000e; done
rm /etc/modprobe.d/no-vfio-pci.conf
modprobe vfio-pci
lpctl reload
check "the devices are free" eventually 20 nics_are_back
check "the same create works with vfio-pci" lpctl machine create vm1 --class nic-small

say libvirtd dies
device1=$(machine vm1 '.devices[0]')
kill_libvirtd
check "the provider notices" eventually 30 sh -c "lpctl status | grep -i 'not reachable'"
check "and goes on" provider_is_there
is "vm1 is still listed" "$(lpctl machine list -o name)" vm1
refused "a create says that libvirt is not reachable" 7 "*libvirt*" lpctl machine create vm2 --class nic-small
check "the same libvirtd comes back" start_libvirtd
check "the provider finds it again" eventually 60 sh -c "! lpctl status | grep -i 'not reachable'"
check "vm1 is known to run" eventually 30 machine_is vm1 running
is_running vm1 "$device1"
is "vm1 is the only one" "$(lpctl machine list -o name)" vm1
virsh -q destroy vm1
check "events arrive again" eventually 30 machine_is vm1 stopped
check "vm1 is deleted" lpctl machine delete vm1
check "everything is back" nics_are_back

say the provider is killed in a create
start=${EPOCHREALTIME/./}
check "a create that is not disturbed" lpctl machine create vm1 --class nic-small
whole=$((${EPOCHREALTIME/./} - start))
lpctl machine delete vm1
steps=8
for step in $(seq $steps); do
    delay=$((whole * step / steps))
    lpctl machine create vm1 --class nic-small >/dev/null 2>&1 &
    creator=$!
    sleep "$(printf '%d.%06d' $((delay / 1000000)) $((delay % 1000000)))"
    provider_stop KILL
    wait $creator
    say killed after $((delay / 1000)) ms of $((whole / 1000)), lpctl ended with $?
    check "the provider starts again" provider_start
    check "it finishes or undoes the create" eventually 60 no_operation_is_under_way
    if [ -n "$(lpctl machine list -o name)" ]; then
        is_running vm1 "$(machine vm1 '.devices[0]')"
        check "the machine can be deleted" lpctl machine delete vm1
    fi
    check "no machine is left" no_machine_is_left
    check "the devices are where they belong" nics_are_back
done

all_is_back
finish
