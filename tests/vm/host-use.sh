#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# What the host uses is never offered, and is offered again when the host lets go; devices that cannot be passed
# through say why. Needs the testbed's --desk.
set -u
. "$(dirname "$0")/guest.sh"

DEVICES=/run/pci_devices.yaml
CLASSES=/run/machine-classes.yaml

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
    is "$1 is offered again" "$(device "$1" '[.state] + .conditions + [.reason // empty] | join(" ")')" free
}

# keep_only ADDRESS RESOURCE: takes the other devices of the resource out of the game.
keep_only() {
    local other
    for other in $(lpctl device list -o json | jq -r ".devices[] | select(.resource == \"$2\") | .id"); do
        [ "$other" = "$1" ] || lpctl device cordon "$other"
    done
}

# dm_of NAME: which device of the device mapper it is.
dm_of() { basename "$(dirname "$(dirname "$(grep -lx "$1" /sys/class/block/dm-*/dm/name)")")"; }

sed 's/- {id: "0x11e8".*/&\n      - {id: "0x1111", type: gpu, name: bochs}/
    s/- {id: "0x0010".*/&\n      - {id: "0x000d", type: usb, name: xhci}/' "$SCENARIOS/pci_devices.yaml" >$DEVICES
cat "$SCENARIOS/machine-classes.yaml" - >$CLASSES <<'YAML'
- name: display-small
  capabilities: {cpu: 200m, memory: 64Mi, "gpu.qemu/bochs": 1}
- name: usb-small
  capabilities: {cpu: 200m, memory: 64Mi, "usb.redhat/xhci": 1}
YAML
begin
provider_start --resource-manager-pci-devices-file=$DEVICES --supported-machine-classes=$CLASSES ||
    { show_provider_log && give_up "no provider"; }
display=$(find_pci 1234 1111) usb=$(find_pci 1b36 000d)
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
never_offered "$nvme1" disk-small "${disk1}p1 is held by dm-? (device mapper held)"
dmsetup remove --noudevsync --retry held
offered_again "$nvme1"

say a logical volume on an encrypted partition
dmsetup create cr0 --uuid CRYPT-PLAIN-cr0 --noudevsync \
    --table "0 65536 crypt aes-xts-plain64 $(printf '%064x%064x' 1 2) 0 /dev/${disk1}p1 0"
dmsetup create vg0-root --uuid LVM-1 --noudevsync --table "0 65536 linear /dev/$(dm_of cr0) 0"
never_offered "$nvme1" disk-small "${disk1}p1 is held by $(dm_of cr0) (cryptsetup cr0)"
mkfs.ext4 -q "/dev/$(dm_of vg0-root)"
mount "/dev/$(dm_of vg0-root)" /mnt/disk
never_offered "$nvme1" disk-small \
    "${disk1}p1 is held by $(dm_of cr0) (cryptsetup cr0, LVM vg0-root on it is mounted on /mnt/disk)"
umount /mnt/disk
dmsetup remove --noudevsync --retry vg0-root
dmsetup remove --noudevsync --retry cr0
offered_again "$nvme1"

say a member of an array
modprobe raid1
echo md127 >/sys/module/md_mod/parameters/new_array
array=/sys/class/block/md127/md
echo none >$array/metadata_version
echo raid1 >$array/level
echo 1 >$array/raid_disks
cat "/sys/class/block/${disk1}p1/dev" >$array/new_dev
echo 32768 >$array/component_size
echo 0 >"$array/dev-${disk1}p1/slot"
echo active >$array/array_state
never_offered "$nvme1" disk-small "${disk1}p1 is held by md127 (md raid1)"
mkfs.ext4 -q /dev/md127
mount /dev/md127 /mnt/disk
never_offered "$nvme1" disk-small "${disk1}p1 is held by md127 (md raid1, mounted on /mnt/disk)"
umount /mnt/disk
echo clear >$array/array_state
offered_again "$nvme1"

say a disk that is open exclusively, as a ZFS pool has it
python3 -c '
import os, sys, time
os.open(sys.argv[1], os.O_RDWR | os.O_EXCL)
open("/run/opened", "w").close()
time.sleep(1000)
' "/dev/$disk1" &
holder=$!
eventually 20 test -e /run/opened
never_offered "$nvme1" disk-small "${disk1}p1 is in use, perhaps by a ZFS pool*"
kill $holder
wait $holder 2>/dev/null
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

# --- what a person sits at ---------------------------------------------------------------------------
say a display that a process has open
card=$(basename "/sys/bus/pci/devices/$display/drm"/card*)
check "it is offered" device_is_free "$display"
sleep 1000 3<>"/dev/dri/$card" &
holder=$!
check "the process has begun" eventually 20 grep -qx sleep /proc/$holder/comm
never_offered "$display" display-small "pid $holder (sleep) has /dev/dri/$card open"
kill $holder
wait $holder 2>/dev/null
offered_again "$display"

say opened after the last look at the host
sleep 1000 3<>"/dev/dri/$card" &
holder=$!
check "the process has begun" eventually 20 grep -qx sleep /proc/$holder/comm
refused "it is seen just before the unbind" 5 "*$display*pid $holder (sleep) has /dev/dri/$card open*" \
    lpctl machine create taker --class display-small
is "the display is left alone" "$(driver_of "$display") $(override_of "$display")" "bochs-drm (null)"
kill $holder
wait $holder 2>/dev/null
offered_again "$display"

say the only keyboard
keyboard=$(basename "$(dirname "$(grep -l 'USB Keyboard' /sys/class/input/input*/name)")")
serio=$(dirname "$(grep -lx 'i8042 KBD port' /sys/bus/serio/devices/*/description)")
check "beside a PS/2 keyboard that of the controller is not needed" device_is_free "$usb"
echo -n none >"$serio/drvctl"
never_offered "$usb" usb-small "the host's only keyboard hangs below it: $keyboard (QEMU QEMU USB Keyboard)"
echo -n atkbd >"$serio/drvctl"
check "the PS/2 keyboard is back" eventually 20 grep -q '^AT ' /sys/class/input/input*/name
offered_again "$usb"

say a mounted disk behind USB
stick() { basename "$(find "/sys/bus/pci/devices/$usb/" -path '*/block/sd*' -prune)"; }
has_stick() { [ -n "$(stick)" ]; }
check "the disk is there" eventually 60 has_stick
mkfs.ext4 -q "/dev/$(stick)"
mount "/dev/$(stick)" /mnt/disk
never_offered "$usb" usb-small "$(stick) is mounted on /mnt/disk"
umount /mnt/disk
offered_again "$usb"

say both are given away once the host has let go
check "a machine gets the display" lpctl machine create vm1 --class display-small
check "another gets the controller" lpctl machine create vm2 --class usb-small
is_running vm1 "$display"
is_running vm2 "$usb"
check "and gives it back" lpctl machine delete vm1
check "as does the other" lpctl machine delete vm2
is_back "$display" bochs-drm
is_back "$usb" xhci_hcd

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
