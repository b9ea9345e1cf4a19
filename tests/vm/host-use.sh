#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# What the host uses is never offered, and is offered again when the host lets go; devices that cannot be passed
# through say why.
set -u
. "$(dirname "$0")/guest.sh"

# never_offered ADDRESS CLASS REASON: the device is the host's; with all others of its class cordoned, nobody gets it.
never_offered() {
    local address=$1 class=$2 reason=$3 driver
    driver=$(driver_of "$address")
    check "reload" lpctl reload
    is "$address is used by the host" "$(device "$address" '.conditions | join(" ")')" host
    like "and says how" "$(device "$address" .reason)" "$reason"
    refused "a machine with it is refused" 4 "*$class*$address*" lpctl machine create taker --class "$class"
    is "$address is left alone" "$(driver_of "$address") $(override_of "$address")" "$driver (null)"
}

offered_again() {
    check "reload" lpctl reload
    check "$1 is offered again" device_is_free "$1"
}

# keep_only ADDRESS RESOURCE: takes the other devices of the resource out of the game.
keep_only() {
    local other
    for other in $(lpctl device list -o json | jq -r ".devices[] | select(.resource == \"$2\") | .id"); do
        [ "$other" = "$1" ] || lpctl device cordon "$other"
    done
}

begin_provider
mkdir -p /mnt/disk

# --- disks -------------------------------------------------------------------------------------------
disk1=$(basename "/sys/bus/pci/devices/$nvme1"/nvme/*/nvme*n1)
keep_only "$nvme1" nvme.redhat/qemu-nvme
say a mounted partition
addpart "/dev/$disk1" 1 2048 126976
mkfs.ext4 -q "/dev/${disk1}p1"
mount "/dev/${disk1}p1" /mnt/disk
never_offered "$nvme1" disk-small "*${disk1}p1 is mounted on /mnt/disk*"
umount /mnt/disk
offered_again "$nvme1"

say a partition that is mounted only in another mount namespace
unshare -m sh -c "mount /dev/${disk1}p1 /mnt/disk && touch /run/mounted && exec sleep 1000" &
holder=$!
eventually 20 test -e /run/mounted
is "the mount is not seen here" "$(grep -c /mnt/disk /proc/self/mountinfo)" 0
never_offered "$nvme1" disk-small "*${disk1}p1 is *use*"
kill $holder
wait $holder 2>/dev/null
offered_again "$nvme1"

say swap
mkswap -q "/dev/${disk1}p1" >/dev/null
swapon "/dev/${disk1}p1"
never_offered "$nvme1" disk-small "*${disk1}p1*swap*"
swapoff "/dev/${disk1}p1"
offered_again "$nvme1"

say mounted after the last look at the host
mkfs.ext4 -q -F "/dev/${disk1}p1"
mount "/dev/${disk1}p1" /mnt/disk
refused "the use is seen just before the unbind" 5 "*$nvme1*${disk1}p1 is mounted on /mnt/disk*" \
    lpctl machine create taker --class disk-small
is "the disk is left alone" "$(driver_of "$nvme1") $(override_of "$nvme1")" "nvme (null)"
check "and can be written" sh -c "echo text >/mnt/disk/file && sync /mnt/disk/file"
is "no machine is left" "$(lpctl machine list -o name)" ""
umount /mnt/disk
offered_again "$nvme1"

say a disk with holders
dmsetup create held --noudevsync --table "0 65536 linear /dev/${disk1}p1 0"
never_offered "$nvme1" disk-small "*${disk1}p1*dm-*"
dmsetup remove --noudevsync --retry held
offered_again "$nvme1"

say a mounted disk of an NVMe subsystem, whose disk does not hang below its PCI device
lpctl device cordon "$nvme1"
lpctl device uncordon "$nvmepf"
disk2=$(basename /sys/class/nvme-subsystem/*/nvme*n1)
check "the disk is not below the function" test -z "$(find "/sys/bus/pci/devices/$nvmepf/" -name "$disk2")"
mkfs.ext4 -q "/dev/$disk2"
mount "/dev/$disk2" /mnt/disk
never_offered "$nvmepf" disk-small "*$disk2 is mounted on /mnt/disk*"
umount /mnt/disk
offered_again "$nvmepf"

say and given away once the host has let go
check "a machine gets the disk" lpctl machine create vm1 --class disk-small
is_running vm1 "$nvmepf"
check "and gives it back" lpctl machine delete vm1
is_back "$nvmepf" nvme

# --- network interfaces ------------------------------------------------------------------------------
keep_only "$nic1" nic.intel/82574l
interface=$(interface_of "$nic1")
say an interface that is up
ip link set "$interface" up
never_offered "$nic1" nic-small "*$interface*up*"
ip link set "$interface" down
offered_again "$nic1"

say an interface with an address
ip address add 192.0.2.1/24 dev "$interface"
never_offered "$nic1" nic-small "*$interface*address*"
ip address flush dev "$interface"
offered_again "$nic1"

say an interface in a bridge
ip link add name br0 type bridge
ip link set "$interface" master br0
never_offered "$nic1" nic-small "*$interface*br0*"
ip link delete br0
offered_again "$nic1"

# --- what cannot be passed through -------------------------------------------------------------------
say shared groups
is "nic3 is unusable" "$(device "$nic3" .state)" unusable
like "because of its neighbour" "$(device "$nic3" .reason)" "*$nic4*e1000*"
like "and the other way round" "$(device "$nic4" .reason)" "*$nic3*e1000*"
is "fn1 is on a driver of the host" "$(driver_of "$fn1")" virtio-pci
is "fn0 is free all the same: they go together" "$(device "$fn0" .state)" free
is "no machine with them fits" "$(class bridged-nic .available)" 0
refused "none is created" 4 "*bridged-nic*" lpctl machine create vm2 --class bridged-nic
is "nic3 is left alone" "$(driver_of "$nic3") $(override_of "$nic3")" "e1000 (null)"

all_is_back
finish
