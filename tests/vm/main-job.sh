#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The main job: two machines with devices of their own, a third that is refused, a provider that is restarted and
# killed in between, and everything given back. Then what a machine's life brings: stop, start, a lost domain.
set -u
. "$(dirname "$0")/guest.sh"

# All that must not change when the provider is replaced.
state_of_everything() {
    lpctl device list -o json && lpctl machine list -o json && lpctl class list -o json
    virsh -q list --all --uuid --name
    for name in vm1 vm2; do echo "$name is process $(qemu_pid $name)"; done
}

# replace_provider SIGNAL STATUS
replace_provider() {
    local before
    before=$(state_of_everything)
    provider_stop "$1"
    is "the provider ends on SIG$1" $? "$2"
    is "vm1 runs on without a provider" "$(domain_state vm1)" running
    check "the provider starts again after SIG$1" provider_start
    is "nothing changed over SIG$1" "$(state_of_everything)" "$before"
}

begin_provider

# Devices and classes.
is "the sources" "$(lpctl source list -o name | sort | xargs)" "cpu memory pci"
for address in $nic1 $nic2 $nic5 $nvme1 $nvmepf; do
    check "$address is free" device_is_free "$address"
done
is "nic1 is of the named resource" "$(device "$nic1" .resource)" nic.intel/82574l
is "nic1 is on its driver" "$(device "$nic1" .attributes.driver)" e1000e
is "nic5 is on node 1" "$(device "$nic5" .numaNode)" 1
is "two appliances fit" "$(class appliance .available)" 2
is "the disks are what limits them" "$(class appliance .limitedBy)" nvme.redhat/qemu-nvme

# Two machines with devices of their own.
check "vm1 is created" lpctl machine create vm1 --class appliance
check "vm2 is created" lpctl machine create vm2 --class appliance --label owner=tests
mapfile -t devices1 < <(machine vm1 '.devices[]')
mapfile -t devices2 < <(machine vm2 '.devices[]')
is "no device is given twice" "$(printf '%s\n' "${devices1[@]}" "${devices2[@]}" | sort -u | wc -l)" 4
is_running vm1 "${devices1[@]}"
is_running vm2 "${devices2[@]}"
is "vm2 has its label" "$(machine vm2 .labels.owner)" tests
for address in "${devices1[@]}"; do
    is "$address is held by vm1" "$(device "$address" '"\(.state) \(.machine)"')" "in-use vm1"
done

# A third is refused, with the reason and without a trace.
refused "a third appliance is refused" 4 "*vm3*appliance*nvme.redhat/qemu-nvme*0 of 2 free*held by vm1*" \
    lpctl machine create vm3 --class appliance
refused "so is a name that is taken" 9 "*vm1*" lpctl machine create vm1 --class nic-small
refused "and an unknown class" 10 "*no-such-class*" lpctl machine create vm3 --class no-such-class
is "two machines are listed" "$(lpctl machine list -o name | sort | xargs)" "vm1 vm2"
is "two domains are defined" "$(virsh -q list --all --name | sort | xargs)" "vm1 vm2"

# The provider goes and comes back.
replace_provider TERM 0
replace_provider KILL 137
is_running vm1 "${devices1[@]}"
is_running vm2 "${devices2[@]}"
refused "a third is still refused" 4 "*0 of 2 free*" lpctl machine create vm3 --class appliance

# A guest that somebody ends keeps its claim, and can be started again.
virsh -q destroy vm2
check "vm2 becomes stopped" eventually 60 machine_is vm2 stopped
for address in "${devices2[@]}"; do
    is "$address stays on vfio-pci" "$(driver_of "$address")" vfio-pci
    is "$address stays with vm2" "$(device "$address" .machine)" vm2
done
check "vm2 starts again" lpctl machine start vm2
is_running vm2 "${devices2[@]}"
check "vm2 is stopped by force" lpctl machine stop vm2 --force
check "vm2 is stopped" eventually 60 machine_is vm2 stopped
is "its domain is off" "$(domain_state vm2)" "shut off"

# Everything is given back.
check "vm1 is deleted" lpctl machine delete vm1
check "vm2 is deleted" lpctl machine delete vm2
is "no machine is left" "$(lpctl machine list -o name)" ""
is "no domain is left" "$(virsh -q list --all --name)" ""
for address in "${devices1[@]}" "${devices2[@]}"; do
    case $address in
    "$nvme1" | "$nvmepf") is_back "$address" nvme ;;
    *) is_back "$address" e1000e ;;
    esac
    check "$address is free again" device_is_free "$address"
done
refused "a machine that is gone is not found" 10 "*vm1*" lpctl machine delete vm1

# Devices that know no reset, one of them without a driver.
check "a machine with edu is created" lpctl machine create vm3 --class edu-small
check "a machine with hda is created" lpctl machine create vm4 --class sound-small
is_running vm3 "$edu"
is_running vm4 "$hda"
check "vm3 is deleted" lpctl machine delete vm3
check "vm4 is deleted" lpctl machine delete vm4
is_back "$edu" ""
is_back "$hda" snd_hda_intel

all_is_back
finish
