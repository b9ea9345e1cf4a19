#!/bin/busybox sh
# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=dash
# The VM's first program, from the initramfs of testbed.py: mounts the machine's root file system read-only
# below an overlay in memory and goes on there with guest-start.sh.
B=/bin/busybox
$B mkdir -p /proc /sys /dev /newroot /ro /rw
$B mount -t proc proc /proc
$B mount -t devtmpfs dev /dev
for module in /modules/*.ko; do
    $B insmod "$module"
done

$B mount -t tmpfs tmpfs /rw
$B mkdir -p /rw/up /rw/work
$B mount -t 9p -o trans=virtio,version=9p2000.L,ro,cache=loose,msize=262144 hostroot /ro
$B mount -t overlay -o lowerdir=/ro,upperdir=/rw/up,workdir=/rw/work overlay /newroot

$B mount -t proc proc /newroot/proc
$B mount -t sysfs sysfs /newroot/sys
$B mount -t devtmpfs dev /newroot/dev
# Empty: also what this machine itself has of libvirt and of the provider.
for folder in run var/log var/cache var/lib/libvirt var/lib/libvirt-provider etc/libvirt/qemu etc/libvirt/hooks; do
    $B mkdir -p /newroot/$folder
    $B mount -t tmpfs tmpfs /newroot/$folder
done
$B mkdir -p /newroot/out /newroot/run/guest /newroot/dev/pts /newroot/dev/shm
$B mount -t devpts devpts /newroot/dev/pts
$B mount -t tmpfs tmpfs /newroot/dev/shm
$B mount -t 9p -o trans=virtio,version=9p2000.L,msize=262144 out /newroot/out

# What the program needs and one of the mounts above has covered.
while read -r folder; do
    [ -e "/newroot$folder" ] && continue
    $B mkdir -p "/newroot$folder"
    $B mount --bind "/ro$folder" "/newroot$folder"
done </folders

$B cp /start /job /newroot/run/guest/
exec $B switch_root /newroot /bin/bash /run/guest/start
