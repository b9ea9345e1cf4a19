# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2119,SC2120 # callers in other files give the arguments
# Sourced by the scenarios, which testbed.py runs in the VM as: SCENARIO BUILD_ROOT. Each of them is one boot.
# Here: a libvirt host in the VM, PCI devices, and the provider.

SCENARIOS=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
BUILD=${1:?usage: $0 BUILD_ROOT}
PATH=$BUILD/core:$PATH
SOURCES=/usr/lib/libvirt-provider/sources
PROVIDER_LOG=/out/provider.log

# shellcheck source=tests/support/tap.sh
. "$SCENARIOS/../support/tap.sh"
# shellcheck source=tests/support/provider.sh
. "$SCENARIOS/../support/provider.sh"

# --- what a libvirt host has -------------------------------------------------------------------------

# start_udev: with what devices to give away, disks and keyboards hang on; for the rest of them it takes as long again.
start_udev() {
    local udevd
    for udevd in /usr/lib/systemd/systemd-udevd /usr/bin/udevadm; do [ -x $udevd ] && break; done
    mkdir -p /run/udev
    (exec -a systemd-udevd $udevd --daemon) >/dev/null 2>&1
    udevadm trigger --type=subsystems --action=add
    udevadm trigger --type=devices --action=add --subsystem-match={pci,virtio,block,net,serio,input}
    udevadm settle -t 60
}

start_dbus() {
    [ -S /run/dbus/system_bus_socket ] && return
    mkdir -p /run/dbus
    dbus-daemon --system --fork --nopidfile
}

# halt_guests: the firmware of the VM's own VMs halts their CPU at once. They have nothing to boot, and looking for it
# takes a CPU as long as they run.
halt_guests() {
    local code='\xfa\xf4\xeb\xfd' # cli; hlt; jmp to hlt; where the CPU begins: 16 bytes before the end
    { head -c 262128 /dev/zero && printf %b "$code" && head -c 12 /dev/zero; } >/run/halt.bin
    mount --bind /run/halt.bin /usr/share/seabios/bios-256k.bin
}

libvirt_answers() { virsh -q uri; }

start_libvirtd() {
    export LIBVIRT_DEFAULT_URI=qemu:///system
    start_dbus
    modprobe vfio-pci
    pidof -q virtlogd || virtlogd -d
    libvirtd -d
    eventually 60 libvirt_answers
}

kill_libvirtd() {
    kill -9 "$(cat /run/libvirtd.pid)"
    rm -f /run/libvirtd.pid
}

# --- PCI devices and domains -------------------------------------------------------------------------

# find_pci VENDOR DEVICE [N]: the N-th address with these ids, counted from 0.
find_pci() {
    local folder vendor device count=0
    for folder in /sys/bus/pci/devices/*; do
        read -r vendor <"$folder/vendor" && read -r device <"$folder/device"
        [ "$vendor $device" = "0x$1 0x$2" ] || continue
        [ "$count" = "${3:-0}" ] && echo "${folder##*/}" && return
        count=$((count + 1))
    done
    return 1
}

# The testbed's devices by the names that testbed.py gives them.
# shellcheck disable=SC2034 # each scenario uses some
find_devices() {
    nic1=$(find_pci 8086 10d3 0) nic2=$(find_pci 8086 10d3 1) nic5=$(find_pci 8086 10d3 3)
    nic3=$(find_pci 8086 100e 0) nic4=$(find_pci 8086 100e 1)
    fn0=$(find_pci 8086 10d3 2) fn1=${fn0%.0}.1
    nvme1=$(find_pci 1b36 0010 0) nvmepf=$(find_pci 1b36 0010 1)
    hda=$(find_pci 8086 2668) edu=$(find_pci 1234 11e8)
}

link_name() { local target; target=$(readlink "$1") && basename "$target"; }
driver_of() { link_name "/sys/bus/pci/devices/$1/driver"; }
group_of() { link_name "/sys/bus/pci/devices/$1/iommu_group"; }
override_of() { cat "/sys/bus/pci/devices/$1/driver_override"; }
interface_of() { ls "/sys/bus/pci/devices/$1/net"; }

# foreign_domain NAME ADDRESS: a domain with managed='yes', as anyone may have one.
foreign_domain() {
    cat <<XML
<domain type='qemu'>
  <name>$1</name>
  <memory unit='MiB'>64</memory>
  <vcpu>1</vcpu>
  <os><type arch='x86_64' machine='q35'>hvm</type></os>
  <devices>
    <hostdev mode='subsystem' type='pci' managed='yes'>
      <source><address domain='0x${2:0:4}' bus='0x${2:5:2}' slot='0x${2:8:2}' function='0x${2:11:1}'/></source>
    </hostdev>
  </devices>
</domain>
XML
}

domain_state() { virsh -q domstate "$1" 2>&1; }
qemu_pid() { cat "/run/libvirt/qemu/$1.pid"; }

# qemu_holds DOMAIN ADDRESS: the domain's QEMU has the device's VFIO group open.
qemu_holds() {
    [ -n "$(find "/proc/$(qemu_pid "$1")/fd" -lname "/dev/vfio/$(group_of "$2")")" ]
}

# --- the provider ------------------------------------------------------------------------------------

# provider_start [FLAG...]: starts the provider from the build tree and waits until it answers. Its sources are
# copied, because it takes modules only from folders that nobody but root can write, which a clone may not be in.
provider_start() {
    install -D -t $SOURCES "$BUILD"/plugins/*.so
    libvirt-provider --source-dir=$SOURCES --resource-manager-sources=cpu,memory,pci \
        --resource-manager-pci-devices-file="$SCENARIOS/pci_devices.yaml" \
        --supported-machine-classes="$SCENARIOS/machine-classes.yaml" "$@" >>$PROVIDER_LOG 2>&1 &
    PROVIDER_PID=$!
    eventually 60 provider_answers_or_ended && provider_is_there
}

# is_running NAME ADDRESS...: the machine runs, and its QEMU holds each of these devices.
is_running() {
    local name=$1 address
    shift
    is "$name is running, says the provider" "$(machine "$name" .state)" running
    is "$name is running, says libvirt" "$(domain_state "$name")" running
    for address; do
        is "$address is on vfio-pci" "$(driver_of "$address")" vfio-pci
        check "the QEMU of $name has $address open" qemu_holds "$name" "$address"
    done
}

# is_back ADDRESS DRIVER: the device is as it was before the provider took it ("" for no driver).
is_back() {
    is "$1 is on its driver (${2:-none})" "$(driver_of "$1")" "$2"
    is "$1 has no driver_override" "$(override_of "$1")" "(null)"
}

is_blocked() { lpctl device explain "$1" | grep -F "condition blocked"; }

# host_state: the driver and the override of each PCI function.
host_state() {
    find /sys/bus/pci/devices/*/driver -printf '%h %l\n'
    grep . /sys/bus/pci/devices/*/driver_override
}

# event_is_told TEXT: one of the last events says so.
event_is_told() { grep -qF "$1" < <(exec timeout 10 lpctl monitor --last 200); }

journal_rows() {
    python3 -c '
import sqlite3
journal = sqlite3.connect("file:/var/lib/libvirt-provider/state.db?mode=ro", uri=True)
for table in ("machine", "held_unit", "record", "unit_mark WHERE quarantine IS NOT NULL"):
    for row in journal.execute("SELECT * FROM " + table):
        print(table, row)
'
}

no_machine_is_left() { [ -z "$(lpctl machine list -o name)" ] && [ -z "$(virsh -q list --all --name)" ]; }

# all_is_back: what holds after each scenario: machines and domains are gone, each device is where it was at boot.
all_is_back() {
    check "no machine and no domain is left" eventually 60 no_machine_is_left
    is "each device is on the driver it had at boot" "$(host_state)" "$HOST_AT_BOOT"
    is "the journal holds nothing" "$(journal_rows)" ""
    is "nothing has crashed" "$(find /out -name 'core.*')" ""
    check "no device is in any state but free or unusable, used by the host, or cordoned" no_device_is_odd
}

no_device_is_odd() {
    lpctl device list -o json | jq -e '[.devices[] | select(.machine != null or
        (.state != "free" and .state != "unusable") or (.conditions - ["host", "cordoned"] != []))] == []'
}

# begin: the host as every scenario wants it.
begin() {
    say booted
    start_udev
    halt_guests
    find_devices
    HOST_AT_BOOT=$(host_state)
    say devices are there
    start_libvirtd || give_up "libvirtd does not answer"
    say libvirtd answers
}

# begin_provider [FLAG...]: the same with a provider.
begin_provider() {
    begin
    provider_start "$@" || { show_provider_log && give_up "the provider does not answer"; }
    say the provider answers
}
