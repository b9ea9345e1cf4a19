#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The power is cut twice. Each time the machines are what they were: devices are bound again if the host has not taken
# them into use, those that start by themselves run, what was under way is undone, finished or settled.
set -u
. "$(dirname "$0")/guest.sh"
. "$(dirname "$0")/stalls.sh"

DEVICES=/run/pci_devices.yaml
OTHER=subsys_ven=0x1af4,subsys=0x1234

# --- one boot after the other ------------------------------------------------------------------------

# boot: a host whose domains and journal are on a disk.
boot() {
    local folder
    start_udev
    halt_guests
    [ "$STAGE" != 0 ] || mkfs.ext4 -q /dev/vda
    mkdir -p /kept
    mount /dev/vda /kept
    for folder in etc/libvirt/qemu var/lib/libvirt-provider; do
        mkdir -p "/kept/$folder" "/$folder"
        mount --bind "/kept/$folder" "/$folder"
    done
    # shellcheck source=/dev/null
    if [ "$STAGE" = 0 ]; then find_devices && rm -f $PROVIDER_LOG; else . /out/notes; fi
    HOST_AT_BOOT=$(host_state)
    prepare_stalls
    sed 's/name: 82540em/&, group: allow/' "$SCENARIOS/pci_devices.yaml" >$DEVICES
    say booted
}

# cut_power: with notes of what the next boot has to know; what is on the disk is not synced by that.
cut_power() {
    local name
    for name in nic1 nic2 nic3 nic4 nic5 fn0 fn1 nvme1 hda edu tap_count tap_failed; do
        printf '%s=%q\n' $name "${!name}"
    done >/out/notes
    echo "@@CUT"
    eventually 60 false # this is the end
    give_up "the power is still there"
}

start_the_provider() {
    provider_start --resource-manager-pci-devices-file=$DEVICES ||
        { show_provider_log && give_up "the provider does not answer"; }
}

# --- machines ----------------------------------------------------------------------------------------

# create_on ADDRESS NAME CLASS [FLAG...]: a machine with this very device.
create_on() {
    lpctl device uncordon "$1"
    check "$2 is created" lpctl machine create "$2" --class "${@:3}"
    is "it has $1" "$(machine "$2" '.devices | join(" ")')" "$1"
    lpctl device cordon "$1"
}

explains() { lpctl machine explain "$1" | grep -F "$2"; }
is_bound() { [ "$(device "$1" '"\(.state) \(.machine)"') $(driver_of "$1")" = "bound $2 vfio-pci" ]; }

# stays_off NAME ADDRESS: it has its device again, and does not run.
stays_off() {
    check "$1 has $2 again" eventually 120 is_bound "$2" "$1"
    is "$1 is stopped" "$(machine "$1" .state) $(domain_state "$1")" "stopped shut off"
    check "$1 is well" eventually 20 sh -c "! lpctl machine explain $1 | grep Reason"
}

# runs_again NAME ADDRESS: not only as last known.
runs_again() {
    check "$1 runs by itself" eventually 120 runs "$1"
    is_running "$1" "$2"
}
runs() { [ "$(machine "$1" .state) $(domain_state "$1")" = "running running" ]; }

# is_unbound ADDRESS...: one of them has no driver.
is_unbound() {
    local address
    for address; do [ -n "$(driver_of "$address")" ] || return 0; done
    return 1
}

# has_row ADDRESS TEXT: one of the devices that stand or stood at the address.
has_row() { device "$1" '"\(.state) \(.conditions | join(",")) \(.machine)"' | grep -Fx "$2"; }
on_vfio() { (cd /sys/bus/pci/drivers/vfio-pci && ls -d ????:*) | xargs; }
log_has() { grep -F "$1" $PROVIDER_LOG; }

# --- the first boot ----------------------------------------------------------------------------------

make_machines() {
    local address
    for address in $(lpctl device list -o name); do lpctl device cordon "$address"; done
    create_on "$nic1" auto nic-small --autostart
    create_on "$nvme1" plain disk-small
    create_on "$edu" off edu-small --autostart --no-start
    create_on "$nic5" pulled nic-small --autostart
    create_on "$nic2" swapped nic-small --autostart --no-start
    create_on "$fn0" busy nic-small --autostart
    create_on "$hda" deleted sound-small --no-start
    is_running auto "$nic1"
}

first_boot() {
    boot
    start_libvirtd || give_up "libvirtd does not answer"
    start_the_provider
    say machines of each kind
    make_machines

    say the power is cut in a create and in a delete
    sync -f /kept # domains that libvirt has written; the provider syncs what it writes
    stall "bus/pci/devices/$hda/driver_override"
    lpctl machine delete deleted >/dev/null 2>&1 &
    check "the delete waits" eventually 60 is_stalled
    lpctl device uncordon "$nic3"
    stall bus/pci/drivers_probe
    lpctl machine create cut --class bridged-nic >/dev/null 2>&1 &
    check "the create has unbound a device" eventually 60 is_unbound "$nic3" "$nic4"
    check "the delete is under way" explains deleted "Operation delete"
    check "the create is under way" explains cut "Operation create is under way, resources are prepared"
    echo "@@CARD nic5 gone"
    echo "@@CARD nic2 $OTHER"
    cut_power
}

# --- the second boot: a card is missing, one is another, the host uses one ---------------------------

second_boot() {
    boot
    interface=$(interface_of "$fn0")
    ip link set "$interface" up

    say libvirt is not there yet
    start_the_provider
    check "libvirt is not reachable" eventually 60 sh -c "lpctl status | grep -i 'not reachable'"
    check "reload" lpctl reload
    like "machines are as last known" "$(machine auto .reason)" "as last known: libvirt does not answer*"
    check "the create is not undone" explains cut "Operation create is under way, resources are prepared"
    check "the delete is not finished" explains deleted "Operation delete is under way"
    is "the host is left alone" "$(host_state)" "$HOST_AT_BOOT"

    say libvirt is there
    start_libvirtd || give_up "libvirtd does not answer"
    runs_again auto "$nic1"
    stays_off plain "$nvme1"
    stays_off off "$edu"
    check "the cut create is undone" eventually 120 sh -c "! lpctl machine show cut"
    check "the cut delete is finished" eventually 120 sh -c "! lpctl machine show deleted"
    is_back "$nic3" e1000
    is_back "$nic4" e1000
    is_back "$hda" snd_hda_intel
    for text in "machine auto is started after a reboot" "machine plain has its resources again after a reboot" \
        "machine cut: an interrupted create is undone" "machine deleted: an interrupted delete is finished"; do
        check "the log says: $text" log_has "$text"
    done
    for text in "machine auto: running -> stopped" "machine auto: stopped -> running" \
        "machine plain: running -> stopped" "machine cut: creating -> -" "machine deleted: deleting -> -"; do
        check "an event says: $text" event_is_told "$text"
    done

    say a card is missing
    check "it is lost" eventually 60 has_row "$nic5" "bound lost,cordoned pulled"
    is "pulled is stopped" "$(machine pulled .state)" stopped
    check "and says why" explains pulled "$nic5: it is not there any more"
    refused "it does not start" "*" "*pulled*$nic5*not there*" lpctl machine start pulled

    say a card is another
    check "the old one is lost" eventually 60 has_row "$nic2" "bound lost swapped"
    check "the new one is nobody's" has_row "$nic2" "free cordoned null"
    check "swapped says why" explains swapped "$nic2: another device stands at its address now"
    refused "it does not start" "*" "*swapped*$nic2*another device*" lpctl machine start swapped
    is_back "$nic2" e1000e

    say the host uses one
    like "busy says why" "$(machine busy .state) $(machine busy .reason)" "stopped autostart: *$fn0*$interface is up*"
    is_back "$fn0" e1000e
    is_back "$fn1" virtio-pci
    is "no other device is on vfio-pci" "$(on_vfio)" "$(printf '%s\n' "$nic1" "$nvme1" "$edu" | sort | xargs)"
    ip link set "$interface" down
    check "reload" lpctl reload
    runs_again busy "$fn0"
    check "busy is deleted" lpctl machine delete busy
    is_back "$fn0" e1000e
    is_back "$fn1" virtio-pci

    say one that is off can be started
    check "plain starts" lpctl machine start plain
    is_running plain "$nvme1"

    say the power is cut in a start
    hold_hook off prepare
    lpctl machine start off >/dev/null 2>&1 &
    check "the start waits" eventually 60 hook_waits off prepare
    check "the start is under way" explains off "Operation start is under way"
    echo "@@CARD nic5"
    echo "@@CARD nic2"
    cut_power
}

# --- the third boot: the cards are back, and somebody else was faster --------------------------------

third_boot() {
    boot
    start_libvirtd || give_up "libvirtd does not answer"
    foreign_domain alien "$nic1" >/run/alien.xml
    check "a foreign domain takes a card first" virsh -q create /run/alien.xml
    start_the_provider
    say what was to run runs
    runs_again off "$edu"
    runs_again pulled "$nic5"
    stays_off swapped "$nic2"
    stays_off plain "$nvme1"

    say a card that somebody else has
    like "auto waits, and says why" "$(machine auto .state) $(machine auto .reason)" "stopped autostart: *alien*"
    check "the foreign domain has it" qemu_holds alien "$nic1"
    virsh -q destroy alien
    runs_again auto "$nic1"

    say all is given back
    for name in $(lpctl machine list -o name); do check "$name is deleted" lpctl machine delete "$name"; done
    all_is_back
    finish
}

case $STAGE in
0) first_boot ;;
1) second_boot ;;
2) third_boot ;;
esac
