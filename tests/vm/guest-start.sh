#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The VM's first program on the real root file system: runs the job of testbed.py and reports how it ended.
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8
exec </dev/null >/dev/ttyS1 2>&1
ln -s /proc/self/fd /dev/fd
mount -t cgroup2 cgroup2 /sys/fs/cgroup
mkdir -p /run/{libvirt,dbus,lock} /var/log/libvirt/qemu /var/cache/libvirt/qemu /var/lib/libvirt/{qemu,images,boot}
chown -R libvirt-qemu /var/lib/libvirt/qemu /var/cache/libvirt/qemu 2>/dev/null # Debian's user for QEMU
busybox ip link set lo up
ulimit -c unlimited # what crashes leaves a core.PROGRAM.PID in /out
echo /out/core.%e.%p >/proc/sys/kernel/core_pattern

# shellcheck source=/dev/null
. /run/guest/job # STAGE, the working folder, and the program as $@
setsid -w "$@"
status=$?
sync
echo "@@RC $status"
while :; do sleep 60; done # init must not end; testbed.py ends the VM
