#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Reload, by lpctl and by SIGHUP: all files or none, and claims are never touched.
set -u
. "$(dirname "$0")/lib.sh"

reload() { lpctl reload; }

# no_reload NAME STATUS PATTERN: a reload is refused, and nothing has changed.
no_reload() {
    refused "$1" "$2" "lpctl: $3" reload
    is "$1: nothing has changed" "$(state_of_everything)" "$before"
}

restore_files() {
    rm -rf "$WORK/classes.yaml" "$WORK/pci_devices.yaml"
    make_config
    printf '[cpu]\novercommit-vcpu=1\n' >"$WORK/key.conf"
}

restore_files
begin_provider --config="$WORK/key.conf"
check "a machine" lpctl machine create vm1 --class nic
before=$(state_of_everything)

say broken files
echo '- {name: x' >"$WORK/classes.yaml"
no_reload "broken classes" 2 "$WORK/classes.yaml:2:1: error: *"
rm "$WORK/classes.yaml"
no_reload "no classes" 2 "$WORK/classes.yaml: error: cannot be read: No such file*"
mkdir "$WORK/classes.yaml"
no_reload "folder of classes" 2 "$WORK/classes.yaml: error: cannot be read: Is a directory"
restore_files
echo 'vendors: 7' >"$WORK/pci_devices.yaml"
no_reload "broken devices" 2 "$WORK/pci_devices.yaml:1:10: error: *"
restore_files
echo garbage >"$WORK/key.conf"
no_reload "broken key file" 2 "$WORK/key.conf:1:1: error: *"
rm "$WORK/key.conf"
mkfifo "$WORK/key.conf"
no_reload "FIFO as a key file" 2 "$WORK/key.conf: error: *"
rm "$WORK/key.conf"
no_reload "no key file" 2 "$WORK/key.conf: error: *"
printf '[cpu]\novercommit-vcpu=0\n' >"$WORK/key.conf"
no_reload "wrong value" 2 "*overcommit-vcpu must be *"
printf '[memory]\nreserved-memory-size=99Gi\n' >"$WORK/key.conf"
no_reload "value that does not fit the host" 2 "source memory: *the host has only 16Gi"

say fixed settings
for line in log-level=debug control-socket=/x libvirt-uri=test:///x system-bus=true; do
    printf '[libvirt-provider]\n%s\n' "$line" >"$WORK/key.conf"
    # The flags name all but the first and the last.
    case $line in
    log-level=* | system-bus=*) no_reload "$line" 5 "${line%%=*} was '*' and is '${line#*=}' now: only a restart *" ;;
    *) check "a flag wins over $line" reload ;;
    esac
done
restore_files
check "with the old files it works" reload
is "nothing has changed" "$(state_of_everything)" "$before"

say what a reload can change
echo '- {name: other, capabilities: {cpu: 2}}' >"$WORK/classes.yaml"
check "other classes" reload
is "are there" "$(lpctl class list -o name)" other
is "the machine keeps its class" "$(machine vm1 '.class + " " + .state')" "nic running"
restore_files
printf '[cpu]\novercommit-vcpu=0.05\n' >"$WORK/key.conf"
check "fewer CPUs than are held" reload
refused "give none" 4 "*needs 1m cpu, 0 of 400m free" lpctl machine create vm2 --class tiny
restore_files
printf '[libvirt-provider]\nresource-manager-vm-limit=1\n' >"$WORK/key.conf"
check "a limit" reload
refused "is kept" 4 "*vm-limit: 1 of at most 1 machines exist" lpctl machine create vm2 --class tiny
restore_files
sed -i s/82574l/renamed/ "$WORK/pci_devices.yaml"
check "another name of a device that is held" reload
is "it is still held" "$(device 0000:01:00.0 '.machine + " " + .resource')" "vm1 nic.intel/renamed"
echo 'vendors: []' >"$WORK/pci_devices.yaml"
check "no entry for it" reload
is "it is still held" "$(device 0000:01:00.0 .machine)" vm1
restore_files
check "all as it was" reload
is "nothing has changed" "$(state_of_everything)" "$before"

say SIGHUP
for _ in $(seq 100); do kill -HUP "$PROVIDER_PID"; done
is "after a hundred, nothing has changed" "$(state_of_everything)" "$before"
echo 'garbage' >"$WORK/classes.yaml"
kill -HUP "$PROVIDER_PID"
check "a broken file is in the log" eventually 10 grep -q "nothing is reloaded: .*classes.yaml:1:1: error" "$PROVIDER_LOG"
is "nothing has changed" "$(state_of_everything)" "$before"
restore_files
is_gone() { ! lpctl machine show "$1"; }
for i in $(seq 10); do
    kill -HUP "$PROVIDER_PID"
    lpctl machine create "vm2-$i" --class gpu && kill -HUP "$PROVIDER_PID" && lpctl machine delete "vm2-$i"
done >"$WORK/output" 2>&1
is "machines come and go meanwhile" "$(cat "$WORK/output")" ""
check "vm1 is deleted" lpctl machine delete vm1
is "all is free" "$(lpctl device list -c state -o csv --no-headers | sort -u)" free

finish_provider
