#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The testbed is what it says: groups, NUMA, SR-IOV, shared slots, libvirt with a passed-through device, a
# pulled card, and a reboot. Needs no provider.
set -u
. "$(dirname "$0")/guest.sh"

if [ "$STAGE" = 1 ]; then
    say rebooted
    tap_count=$(cat /out/before-reboot)
    check "a reboot keeps /out" test -e /out/before-reboot
    check "a reboot drops the rest" test ! -e /etc/before-reboot
    finish
fi

begin
is "nic3 and nic4 share a group" "$(group_of "$nic3")" "$(group_of "$nic4")"
is "two functions of a slot share a group" "$(group_of "$fn0")" "$(group_of "$fn1")"
is "nic1 is alone in its group" "$(ls "/sys/bus/pci/devices/$nic1/iommu_group/devices")" "$nic1"
is "nic5 is on node 1" "$(cat "/sys/bus/pci/devices/$nic5/numa_node")" 1
check "edu and hda have no reset" test ! -e "/sys/bus/pci/devices/$edu/reset_method" -a ! -e "/sys/bus/pci/devices/$hda/reset_method"
echo 2 >"/sys/bus/pci/devices/$nvmepf/sriov_numvfs"
is "nvmepf has two VFs" "$(find "/sys/bus/pci/devices/$nvmepf/" -name 'virtfn*' | wc -l)" 2

foreign_domain d1 "$nic1" >/tmp/d1.xml
check "a domain with nic1 starts" virsh -q create /tmp/d1.xml
check "its QEMU has nic1 open" qemu_holds d1 "$nic1"
virsh -q destroy d1
is_back "$nic1" e1000e

echo "@@MON device_del nic2"
check "nic2 is pulled" eventually 60 test ! -e "/sys/bus/pci/devices/$nic2"

touch /etc/before-reboot
echo "$tap_count" >/out/before-reboot
echo "@@REBOOT"
exit $tap_failed
