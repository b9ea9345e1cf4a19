#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Foreign hands: domains of somebody else, an administrator who does with ours what he likes, devices that are bound and
# unbound by hand, vfio-pci unloaded. Each ends in a true state, and nothing is touched that somebody else holds.
set -u
. "$(dirname "$0")/guest.sh"

is_foreign() { [ "$(device "$1" '.conditions | join(" ")')" = foreign ]; }
is_orphaned() { machine_is "$1" orphaned; }
is_given_back() { lpctl reload && no_machine_is_left; } # a reload is followed by a look
write() { echo "$1" >"/sys/bus/pci/$2"; }

begin_provider
for address in $nic2 $nic5 $fn0; do lpctl device cordon "$address"; done

say a foreign domain on a free device
foreign_domain alien "$nic1" >/run/alien.xml
check "it starts" virsh -q create /run/alien.xml
check "nic1 is foreign by itself" eventually 60 is_foreign "$nic1"
like "and says whose" "$(device "$nic1" .reason)" "*domain alien*"
refused "no machine gets it" 4 "*$nic1*alien*" lpctl machine create vm1 --class nic-small
kill_libvirtd
check "libvirtd starts again" start_libvirtd
lpctl reload
check "nic1 is foreign still" eventually 60 is_foreign "$nic1"
provider_stop KILL
check "the provider starts again" provider_start
check "nic1 is foreign still" eventually 60 is_foreign "$nic1"
check "the foreign domain holds it" qemu_holds alien "$nic1"
virsh -q destroy alien
check "nic1 is free when it lets go" eventually 60 device_is_free "$nic1"
is_back "$nic1" e1000e

say a foreign domain on a device of a machine that is off
check "vm1 is created" lpctl machine create vm1 --class nic-small --no-start
check "the foreign domain starts" virsh -q create /run/alien.xml
check "nic1 is foreign" eventually 60 is_foreign "$nic1"
refused "vm1 does not start" "*" "*$nic1*alien*" lpctl machine start vm1
check "the foreign domain holds it" qemu_holds alien "$nic1"
refused "vm1 is not deleted yet" "*" "*$nic1*" lpctl machine delete vm1
check "the foreign domain still holds it" qemu_holds alien "$nic1"
virsh -q destroy alien
check "vm1 is gone when it lets go" eventually 90 no_machine_is_left
is_back "$nic1" e1000e

say a foreign domain on a device of a machine that runs
check "vm1 is created" lpctl machine create vm1 --class nic-small
check "the foreign domain is refused" sh -c '! virsh -q create /run/alien.xml'
is_running vm1 "$nic1"
check "nic1 is not foreign" sh -c "! lpctl device explain $nic1 | grep foreign"

say ours is ended, started and edited by somebody else
virsh -q destroy vm1
check "vm1 becomes stopped" eventually 60 machine_is vm1 stopped
virsh -q start vm1
check "vm1 becomes running" eventually 60 machine_is vm1 running
is_running vm1 "$nic1"
virsh dumpxml --inactive vm1 | sed '/<hostdev/,/<\/hostdev>/d' >/run/edited.xml
check "vm1 is edited to have no device" virsh -q define /run/edited.xml
virsh -q destroy vm1
check "vm1 becomes stopped" eventually 60 machine_is vm1 stopped
is "nic1 stays with it" "$(device "$nic1" .machine) $(driver_of "$nic1")" "vm1 vfio-pci"
check "vm1 is deleted" lpctl machine delete vm1
is_back "$nic1" e1000e

say ours is undefined by somebody else
uuid=11111111-2222-4333-8444-555555555555
check "vm1 is created" lpctl machine create vm1 --class nic-small --uuid $uuid
virsh -q undefine vm1
is_running vm1 "$nic1"
virsh -q destroy vm1
check "vm1 becomes orphaned" eventually 60 is_orphaned vm1
is "nic1 stays with it" "$(device "$nic1" .machine) $(driver_of "$nic1")" "vm1 vfio-pci"
check "the same create takes it up" lpctl machine create vm1 --class nic-small --uuid $uuid
is_running vm1 "$nic1"
provider_stop
check "the provider starts with a short grace" provider_start --orphan-grace=5s
virsh -q destroy vm1
virsh -q undefine vm1
check "an orphan is given back after it" eventually 120 is_given_back
is_back "$nic1" e1000e
check "with an event" event_is_told "machine vm1: orphaned -> deleting"

say a device is unbound and bound by hand
check "vm1 is created" lpctl machine create vm1 --class nic-small --no-start
write "$nic1" drivers/vfio-pci/unbind
check "vm1 says so" eventually 60 sh -c "lpctl machine explain vm1 | grep -F 'no driver'"
check "vm1 starts all the same" lpctl machine start vm1
is_running vm1 "$nic1"
check "vm1 is stopped" lpctl machine stop vm1 --force
write "" "devices/$nic1/driver_override"
write "$nic1" drivers/vfio-pci/unbind
write "$nic1" drivers/e1000e/bind
check "vm1 says so" eventually 60 sh -c "lpctl machine explain vm1 | grep -F e1000e"
ip link set "$(interface_of "$nic1")" up
refused "vm1 does not start while the host uses it" 5 "*$nic1*up*" lpctl machine start vm1
is "the device is left alone" "$(driver_of "$nic1") $(override_of "$nic1")" "e1000e (null)"
ip link set "$(interface_of "$nic1")" down
check "vm1 starts when it does not" lpctl machine start vm1
is_running vm1 "$nic1"

say vfio-pci is unloaded
check "vm1 is stopped" lpctl machine stop vm1 --force
check "vfio-pci is unloaded" modprobe -r vfio-pci
check "vm1 says so" eventually 60 sh -c "lpctl machine explain vm1 | grep -F 'no driver'"
check "vm1 starts all the same" lpctl machine start vm1
is_running vm1 "$nic1"
check "vm1 is stopped" lpctl machine stop vm1 --force
modprobe -r vfio-pci
check "vm1 is deleted without it" lpctl machine delete vm1
is_back "$nic1" e1000e

lpctl reload
all_is_back
finish
