# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Sourced by scenarios after guest.sh: parts of the host that stand still where the scenario wants it, so that
# something can be killed there.

HELD=/run/held
SYS=$HELD/sys # the host's sysfs once more, without what is laid over it
pipes=0

prepare_stalls() {
    mkdir -p $SYS /etc/libvirt/hooks
    mount -t sysfs none $SYS
    cat >/etc/libvirt/hooks/qemu <<HOOK
#!/bin/sh
# DOMAIN OPERATION: waits where the scenario says so.
cat >/dev/null
stop=$HELD/\$1.\$2
[ -e "\$stop" ] || exit 0
touch "\$stop.reached"
while [ -e "\$stop" ]; do sleep 0.1; done
HOOK
    chmod +x /etc/libvirt/hooks/qemu
}

# --- libvirt's hook: hold_hook DOMAIN OPERATION, hook_waits DOMAIN OPERATION, release_hook ... ----
hold_hook() { rm -f "$HELD/$1.$2.reached" && touch "$HELD/$1.$2"; }
hook_waits() { [ -e "$HELD/$1.$2.reached" ]; }
release_hook() { rm -f "$HELD/$1.$2"; }

# --- files of sysfs: whoever opens one of them waits in front of a pipe -----------------

# stall FILE: from now on; FILE is relative to /sys.
stall() {
    pipes=$((pipes + 1)) stalled=$1 pipe=$HELD/pipe.$pipes
    mkfifo $pipe
    mount --bind $pipe "/sys/$stalled"
}

waiting_processes() { grep -lsE 'fifo_open|wait_for_partner' /proc/[0-9]*/wchan | cut -d/ -f3; }
is_stalled() { [ -n "$(waiting_processes)" ]; }

unstall() { while umount -l "/sys/$stalled" 2>/dev/null; do :; done; }

# let_read, let_write: carries out the access that waits; the next one of the same file goes through, or with
# "stall_next" waits as well.
let_read() {
    local waiting=$pipe
    if [ "${1:-}" = stall_next ]; then stall "$stalled"; else unstall; fi
    cat "$SYS/$stalled" >"$waiting"
}
let_write() {
    local waiting=$pipe text
    if [ "${1:-}" = stall_next ]; then stall "$stalled"; else unstall; fi
    text=$(cat "$waiting")
    printf '%s\n' "$text" >"$SYS/$stalled"
}

# lose_access: the access that waits never happens.
lose_access() {
    unstall
    waiting_processes | xargs -r kill -9
}
