# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2034 # chosen by name in common.sh
# What each step needs, by the name that each package manager has for it.

# To build libvirt-provider.
apt_build=(
    gcc libc6-dev meson ninja-build pkgconf python3-docutils
    libglib2.0-dev libyaml-dev libjson-glib-dev libgudev-1.0-dev libxml2-dev libpci-dev libsqlite3-dev libvirt-dev libsystemd-dev
)
dnf_build=(
    gcc glibc-devel meson ninja-build pkgconf-pkg-config python3-docutils
    glib2-devel libyaml-devel json-glib-devel libgudev-devel libxml2-devel pciutils-devel sqlite-devel libvirt-devel systemd-devel
)

# To run the tests outside of the VM, the fuzzers (libFuzzer comes with clang's runtime) and the checks of the sources.
apt_test=(
    clang libclang-rt-dev llvm clang-format clang-tidy libcriterion-dev python3-yaml jq
    dbus-daemon libglib2.0-bin util-linux
)
dnf_test=(
    clang compiler-rt llvm libstdc++-devel clang-tools-extra libcriterion-devel libasan libubsan python3-pyyaml jq
    dbus-daemon glib2 util-linux
)

# To run the VM, and what is used in it.
apt_vm=(
    python3 qemu-system-x86 linux-image-amd64 busybox-static kmod
    libvirt-daemon-system libvirt-clients dbus udev iproute2 dmsetup e2fsprogs procps jq
)
dnf_vm=(
    python3 qemu-system-x86-core kernel-core kernel-modules busybox kmod
    libvirt-daemon libvirt-daemon-driver-qemu libvirt-daemon-log libvirt-client
    dbus-daemon systemd-udev iproute device-mapper e2fsprogs procps-ng jq
)
