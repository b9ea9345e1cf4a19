#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# What goes together: a group that is wider than a slot, functions of one slot, physical and virtual functions.
set -u
. "$(dirname "$0")/guest.sh"

DEVICES=/run/pci_devices.yaml

# change_devices SED_SCRIPT: the devices file as it is shipped with the tests, changed.
change_devices() {
    sed "$1" "$SCENARIOS/pci_devices.yaml" >$DEVICES
    lpctl reload
}

# passed_to NAME: what of the host the domain has, in a line each: its address, and the function of the guest's slot
# or "alone".
passed_to() {
    virsh dumpxml "$1" | python3 -c '
import sys
from xml.etree import ElementTree
for device in ElementTree.parse(sys.stdin).findall("./devices/hostdev"):
    host, guest = [{key: value[2:] for key, value in device.find(path).items()} for path in ("source/address", "address")]
    together = int(guest["function"], 16) > 0 or "multifunction" in guest
    print("{domain}:{bus}:{slot}.{function}".format(**host), guest["function"] if together else "alone")
'
}

# guest_slots NAME: in how many slots of the guest they are.
guest_slots() {
    virsh dumpxml "$1" | python3 -c '
import sys
from xml.etree import ElementTree
guests = [device.find("address") for device in ElementTree.parse(sys.stdin).findall("./devices/hostdev")]
print(len({(guest.get("bus"), guest.get("slot")) for guest in guests}))
'
}

both_are() { is "nic3 and nic4 are $1" "$(driver_of "$nic3") $(driver_of "$nic4")" "$2 $2"; }

begin
cp "$SCENARIOS/pci_devices.yaml" $DEVICES
provider_start --resource-manager-pci-devices-file=$DEVICES || { show_provider_log && give_up "no provider"; }

# --- a group that is wider than a slot ---------------------------------------------------------------
say refused as long as the entry does not allow it
is "nic3 is unusable" "$(device "$nic3" .state)" unusable
like "because of its neighbour" "$(device "$nic3" .reason)" "*$nic4*e1000*group: allow*"
like "and the other way round" "$(device "$nic4" .reason)" "*$nic3*e1000*group: allow*"
refused "no machine is created" 4 "*bridged-nic*" lpctl machine create vm1 --class bridged-nic
both_are "left alone" e1000

say allowed
check "reload with group: allow" change_devices 's/name: 82540em/&, group: allow/'
check "nic3 is free" device_is_free "$nic3"
check "nic4 is free" device_is_free "$nic4"

say not while the host uses the neighbour
lpctl device cordon "$nic4"
interface=$(interface_of "$nic4")
ip link set "$interface" up
lpctl reload
is "nic3 is used by the host" "$(device "$nic3" '.conditions | join(" ")')" host
like "through its neighbour" "$(device "$nic3" .reason)" "*$nic4*$interface*up*"
refused "no machine is created" 4 "*$nic4*$interface*up*" lpctl machine create vm1 --class bridged-nic
ip link set "$interface" down
lpctl reload
ip link set "$interface" up
refused "the use is seen just before the first write" 5 "*$nic4*$interface*up*" \
    lpctl machine create vm1 --class bridged-nic
both_are "left alone" e1000
is "nic3 has no driver_override" "$(override_of "$nic3")" "(null)"
ip link set "$interface" down
lpctl reload
check "nic3 is free again" device_is_free "$nic3"

say taken with the neighbour
check "vm1 is created" lpctl machine create vm1 --class bridged-nic
is_running vm1 "$nic3"
both_are "bound together" vfio-pci
is "only nic3 goes to the guest" "$(passed_to vm1)" "$nic3 alone"
is "nic4 is kept from others" "$(device "$nic4" .state)" reserved
lpctl device uncordon "$nic4"
refused "nobody else gets it" 4 "*$nic4*$nic3*held by vm1*" lpctl machine create vm2 --class bridged-nic
check "vm1 is deleted" lpctl machine delete vm1
is_back "$nic3" e1000
is_back "$nic4" e1000

# --- two functions of a slot -------------------------------------------------------------------------
for address in $nic1 $nic2 $nic5; do lpctl device cordon "$address"; done
say two functions of a slot go together
check "fn0 is free" device_is_free "$fn0"
check "vm1 is created" lpctl machine create vm1 --class nic-small
is_running vm1 "$fn0"
is "fn1 is on vfio-pci" "$(driver_of "$fn1")" vfio-pci
is "both go to the guest" "$(passed_to vm1)" "$fn0 0
$fn1 1"
is "in one slot" "$(guest_slots vm1)" 1

say and stay so over a stop and a start
check "vm1 is stopped" lpctl machine stop vm1 --force
check "vm1 is started" lpctl machine start vm1
is_running vm1 "$fn0"
is "in one slot" "$(guest_slots vm1)" 1
check "vm1 is deleted" lpctl machine delete vm1
is_back "$fn0" e1000e
is_back "$fn1" virtio-pci

say unless the entry says so
check "reload with functions: single" change_devices 's/name: 82574l/&, functions: single/'
check "vm1 is created" lpctl machine create vm1 --class nic-small
is_running vm1 "$fn0"
is "fn1 is bound along" "$(driver_of "$fn1")" vfio-pci
is "only fn0 goes to the guest" "$(passed_to vm1)" "$fn0 alone"
check "vm1 is deleted" lpctl machine delete vm1
is_back "$fn0" e1000e
is_back "$fn1" virtio-pci

# --- physical and virtual functions ------------------------------------------------------------------
say a physical function with virtual ones
sriov=/sys/bus/pci/devices/$nvmepf
check "nvmepf is free" device_is_free "$nvmepf"
echo 0 >"$sriov/sriov_drivers_autoprobe"
echo 2 >"$sriov/sriov_numvfs"
lpctl reload
is "it is unusable" "$(device "$nvmepf" .state)" unusable
like "and says why" "$(device "$nvmepf" .reason)" "*2 virtual functions*sriov_numvfs*"
vf=$(link_name "$sriov/virtfn0")
is "its VF is a device" "$(device "$vf" .state)" free
lpctl device cordon "$vf" # it is of the same resource, and not meant below
echo 0 >"$sriov/sriov_numvfs"
lpctl reload
check "without them it is free again" device_is_free "$nvmepf"
is "it is left alone" "$(driver_of "$nvmepf") $(override_of "$nvmepf")" "nvme (null)"

say virtual functions that come after the last look
echo 1 >"$sriov/sriov_numvfs"
lpctl device cordon "$nvme1"
refused "are seen just before the first write" "*" "*$nvmepf*1 virtual functions*" \
    lpctl machine create vm1 --class disk-small
is "it is left alone" "$(driver_of "$nvmepf") $(override_of "$nvmepf")" "nvme (null)"
echo 0 >"$sriov/sriov_numvfs"
lpctl reload
check "a machine gets the physical function" lpctl machine create vm1 --class disk-small
is_running vm1 "$nvmepf"
check "vm1 is deleted" lpctl machine delete vm1
is_back "$nvmepf" nvme

all_is_back
finish
