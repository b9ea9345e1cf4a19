#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# What goes wrong around the provider leaves nothing half-done: no vfio-pci, libvirtd that dies, and a driver that does
# not return in time.
set -u
. "$(dirname "$0")/guest.sh"
. "$(dirname "$0")/stalls.sh"

nics_are_back() {
    local address
    for address in $nic1 $nic2 $nic5; do
        equal "$address $(driver_of "$address") $(override_of "$address")" "$address e1000e (null)" || return
        equal "$address $(device "$address" .state)" "$address free" || return
    done
}

prepare_stalls
begin_provider

say no vfio-pci
echo "install vfio-pci /bin/false" >/etc/modprobe.d/no-vfio-pci.conf
modprobe -r vfio-pci
# 4 where a look at the host came in between
refused "a commit without vfio-pci fails" "[45]" "*vfio-pci*" lpctl machine create vm1 --class nic-small
check "nothing is left of it" no_machine_is_left
for address in $nic1 $nic2 $nic5; do is_back "$address" e1000e; done
rm /etc/modprobe.d/no-vfio-pci.conf
modprobe vfio-pci
lpctl reload
check "the devices are free" eventually 60 nics_are_back
check "the same create works with vfio-pci" lpctl machine create vm1 --class nic-small

say libvirtd dies
device1=$(machine vm1 '.devices[0]')
kill_libvirtd
check "the provider notices" eventually 60 sh -c "lpctl status | grep -i 'not reachable'"
check "and goes on" provider_is_there
is "vm1 is still listed" "$(lpctl machine list -o name)" vm1
refused "a create says that libvirt is not reachable" 7 "*libvirt*" lpctl machine create vm2 --class nic-small
check "the same libvirtd comes back" start_libvirtd
check "the provider finds it again" eventually 60 sh -c "! lpctl status | grep -i 'not reachable'"
check "vm1 is known to run" eventually 60 machine_is vm1 running
is_running vm1 "$device1"
is "vm1 is the only one" "$(lpctl machine list -o name)" vm1
virsh -q destroy vm1
check "events arrive again" eventually 60 machine_is vm1 stopped
check "vm1 is deleted" lpctl machine delete vm1
check "everything is back" nics_are_back

say a driver that does not return in time
for address in $nic2 $nic5 $fn0; do lpctl device cordon "$address"; done
provider_stop
check "the provider starts with a short time-out" provider_start --resource-manager-pci-driver-timeout=5s
stall bus/pci/drivers/e1000e/unbind
start=$SECONDS
refused "a create says so" 3 "*$nic1*5 s*--resource-manager-pci-driver-timeout*" \
    lpctl machine create vm1 --class nic-small
check "and does not wait longer" [ $((SECONDS - start)) -lt 25 ] # by default it is 30 s
check "nothing is left of it" no_machine_is_left
is_back "$nic1" e1000e
check "nic1 is free" eventually 60 device_is_free "$nic1"
unstall
check "the same create works when the driver returns" lpctl machine create vm1 --class nic-small --no-start
check "vm1 is deleted" lpctl machine delete vm1
is_back "$nic1" e1000e

all_is_back
finish
