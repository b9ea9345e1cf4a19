#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Cards that are pulled and plugged in again, the same or another: while nobody has them, while a machine is off, and
# while its guest runs, which holds up the kernel. Nothing else is held up.
set -u
. "$(dirname "$0")/guest.sh"

pull() { echo "@@MON device_del $1"; }
is_gone() { [ ! -e "/sys/bus/pci/devices/$1" ]; }
# plug N [PROPERTIES]: the card of the testbed, or another of the same kind.
plug() { echo "@@MON device_add e1000e,netdev=n$1,bus=rp$1,id=nic$1${2:-}"; }
OTHER=,subsys_ven=0x1af4,subsys=0x1234
is_plugged() { [ "$(driver_of "$1")" = e1000e ]; }
device_has() { [ "$(device "$1" '.state + " " + (.conditions | join(","))')" = "$2" ]; }
is_unlisted() { [ -z "$(device "$1" .id)" ]; }
# has_row ADDRESS TEXT: one of the devices that stand or stood at the address.
has_row() { device "$1" '.state + " " + (.conditions | join(",")) + " " + (.machine // "-")' | grep -Fx "$2"; }
# A look at the host finds out; the next one by itself may be a minute away.
removal_is_held_up() { lpctl reload && is_blocked "$nic1"; }
others_come_and_go() {
    check "another machine comes" lpctl machine create other --class disk-small --wait 180
    check "and goes" lpctl machine delete other --wait 180
}

another_card_is_left_alone() {
    check "another card is there" eventually 60 is_plugged "$nic1"
    check "the old one is lost" eventually 60 has_row "$nic1" "bound lost vm1"
    check "the new one is free" eventually 60 has_row "$nic1" "free  -"
    refused "the machine does not start" "*" "*vm1*$nic1*another device*" lpctl machine start vm1
    is "the new card is left alone" "$(driver_of "$nic1") $(override_of "$nic1")" "e1000e (null)"
}

IMPATIENT=--resource-manager-pci-driver-timeout=10s # with a driver that is held up
begin_provider $IMPATIENT
for address in $nic5 $fn0; do lpctl device cordon "$address"; done

say an idle card
pull nic2
check "nic2 is gone" eventually 60 is_gone "$nic2"
check "it is not listed any more" eventually 60 is_unlisted "$nic2"
plug 2
check "nic2 is back" eventually 60 is_plugged "$nic2"
check "it is free by itself" eventually 60 device_is_free "$nic2"
lpctl device cordon "$nic2"

say a card of a machine that is off
check "vm1 is created" lpctl machine create vm1 --class nic-small --no-start
is "it has nic1" "$(machine vm1 '.devices | join(" ")')" "$nic1"
pull nic1
check "nic1 is gone" eventually 60 is_gone "$nic1"
check "it is lost" eventually 60 device_has "$nic1" "bound lost"
like "and the machine says so" "$(machine vm1 .reason)" "$nic1: it is not there any more"
refused "the machine does not start" "*" "*vm1*$nic1*not there*" lpctl machine start vm1
plug 1
check "the same card is back" eventually 60 is_plugged "$nic1"
check "it is taken up again" eventually 60 device_has "$nic1" "bound "
check "the machine starts" lpctl machine start vm1
is_running vm1 "$nic1"

say another card in its place
check "vm1 is stopped" lpctl machine stop vm1 --force
pull nic1
check "nic1 is gone" eventually 60 is_gone "$nic1"
plug 1 $OTHER
another_card_is_left_alone
check "another machine gets the new one" lpctl machine create vm2 --class nic-small
is_running vm2 "$nic1"
check "vm1 is deleted" lpctl machine delete vm1
is_running vm2 "$nic1"
check "vm2 is deleted" lpctl machine delete vm2
is_back "$nic1" e1000e
pull nic1
check "the other card is gone" eventually 60 is_gone "$nic1"
plug 1
check "the first card is back" eventually 60 is_plugged "$nic1"
check "it is free" eventually 60 device_is_free "$nic1"

say a card of a guest that runs
check "vm1 is created" lpctl machine create vm1 --class nic-small
is_running vm1 "$nic1"
pull nic1
check "its removal is held up" eventually 60 removal_is_held_up
is "the guest runs on" "$(domain_state vm1)" running
others_come_and_go
check "the host is looked at" timeout 120 lpctl reload
provider_stop TERM
is "the provider can be stopped" $? 0
check "and started" provider_start $IMPATIENT
provider_stop KILL
check "and be killed, and started" provider_start $IMPATIENT
check "it sees what is held up" eventually 60 is_blocked "$nic1"
is "vm1 runs" "$(machine vm1 .state)" running
others_come_and_go
check "vm1 is stopped" lpctl machine stop vm1 --force
check "the card goes" eventually 60 is_gone "$nic1"
check "it is lost" eventually 60 device_has "$nic1" "bound lost"
plug 1 $OTHER
another_card_is_left_alone
pull nic1
check "the other card is gone" eventually 60 is_gone "$nic1"
plug 1
check "the same card is back" eventually 60 is_plugged "$nic1"
check "vm1 starts again" eventually 60 lpctl machine start vm1
is_running vm1 "$nic1"

say a card of a guest that runs, and a machine that is deleted
pull nic1
check "its removal is held up" eventually 60 removal_is_held_up
check "vm1 is deleted" lpctl machine delete vm1 --wait 180
check "the card goes" eventually 60 is_gone "$nic1"
check "vm1 is gone" eventually 60 no_machine_is_left
check "it is not listed any more" eventually 60 is_unlisted "$nic1"
plug 1
check "the same card is back" eventually 60 is_plugged "$nic1"
check "it is free" eventually 60 device_is_free "$nic1"

all_is_back
finish
