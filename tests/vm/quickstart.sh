#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The main job as a transcript: each command as an operator types it, with what it really prints, and the end of
# it all at the first thing that is not as it should be. Runs in the VM; scripts/quickstart starts it.
set -uo pipefail
. "$(dirname "$0")/guest.sh"

die() {
    echo "quickstart: $*" >&2
    [ -z "$PROVIDER_PID" ] || show_provider_log >&2
    exit 1
}

comment() { printf '\n== %s\n' "$*"; }

# run COMMAND...: prints the command and runs it, not on a terminal; it has to succeed.
run() {
    echo "# $*"
    "$@" 2>&1 | cat || die "'$*' ended with status $?"
}

# run_refused STATUS COMMAND...: the same for a command that has to be refused, with this exit status.
run_refused() {
    local want=$1 status=0
    shift
    echo "# $*"
    "$@" 2>&1 | cat || status=$?
    echo "# echo \$?"
    echo $status
    [ $status = "$want" ] || die "'$*' ended with status $status instead of $want"
}

show_provider_start() {
    echo "# libvirt-provider --resource-manager-sources=cpu,memory,pci \\"
    echo "      --resource-manager-pci-devices-file=pci_devices.yaml --supported-machine-classes=machine-classes.yaml &"
    provider_start || die "the provider does not answer"
}

# show_machine NAME: where its devices are, and that its QEMU really has them.
show_machine() {
    local name=$1 address
    run virsh -q domstate "$name"
    for address in $(machine "$name" '.devices[]'); do
        run readlink "/sys/bus/pci/devices/$address/driver"
        [ "$(driver_of "$address")" = vfio-pci ] || die "$address is not on vfio-pci"
        qemu_holds "$name" "$address" || die "the QEMU of $name does not have $address open"
    done
}

echo "Booted Linux $(uname -r) with an emulated IOMMU; starting udev and libvirtd."
start_udev
find_devices
start_libvirtd || die "libvirtd does not answer"
cd "$SCENARIOS" || die "$SCENARIOS is missing"

comment "The devices that may be given away, and the kinds of machine"
run cat pci_devices.yaml
run cat machine-classes.yaml

comment "The provider starts"
show_provider_start
run lpctl source list
run lpctl device list
run lpctl class list
before=$(lpctl device list --no-headers)

comment "Two machines, each with a network card and a disk of its own"
run lpctl machine create vm1 --class appliance
run lpctl machine create vm2 --class appliance
run lpctl machine list
show_machine vm1
show_machine vm2
devices=$(machine vm1 '.devices[]' && machine vm2 '.devices[]')
[ "$(sort -u <<<"$devices" | wc -l)" = 4 ] || die "a device was given twice: $devices"
run lpctl device list

comment "A third is refused, with the reason"
run_refused 4 lpctl machine create vm3 --class appliance

comment "The provider is restarted; nothing changes"
with_machines=$(lpctl device list && lpctl machine list && virsh -q list)
echo "# kill $PROVIDER_PID"
provider_stop || die "the provider ended with status $?"
show_provider_start
run lpctl machine list
run virsh -q list
[ "$(lpctl device list && lpctl machine list && virsh -q list)" = "$with_machines" ] || die "something changed"

comment "The machines are deleted, every device is back on its driver"
run lpctl machine delete vm1
run lpctl machine delete vm2
run virsh -q list --all
run lpctl device list
[ "$(lpctl device list --no-headers)" = "$before" ] || die "the devices are not as before"
for address in $devices; do
    run readlink "/sys/bus/pci/devices/$address/driver"
    [ "$(override_of "$address")" = "(null)" ] || die "$address still has a driver_override"
done
provider_stop
comment "Done: two machines got real cards and gave them back"
