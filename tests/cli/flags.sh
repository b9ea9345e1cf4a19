#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Flags and key files of the daemon: each mistake is said by --check-config, with what is right.
set -u
. "$(dirname "$0")/lib.sh"

# flag NAME PATTERN FLAG...: what is said about wrong flags, in one line.
flag() { rejected "$1" 2 "error: $2" provider --check-config "${@:3}"; }

# key_file NAME PATTERN TEXT: what is said about a key file with this text (as of printf).
key_file() {
    # shellcheck disable=SC2059 # the text has escapes
    printf -- "$3" >"$WORK/key.conf"
    check_config "$1" "${2:+$WORK/$2}" --config="$WORK/key.conf"
}

check_config "all is well" ""

say sources
flag "unknown source" "--resource-manager-sources names nosuch: no source 'nosuch' in $WORK/sources; found there: cpu, hugepages, memory, pci *" \
    --resource-manager-sources=cpu,pci,nosuch
flag "source named twice" "*names cpu twice" --resource-manager-sources=cpu,cpu,pci
check_config "no source" "*names no source*" --resource-manager-sources=,
flag "path as a source" "*'../cpu' is no name for a source*" --resource-manager-sources=../cpu,pci
flag "flag of a source that is not loaded" "--resource-manager-pci-devices-file is an option of source pci, *add pci*" \
    --resource-manager-sources=cpu,memory
check_config "second folder of sources" "" --source-dir=/nonexistent:"$WORK/sources"
check_config "no folder of sources" "*no source 'cpu' in /nonexistent; found there: none *no source 'memory'*" --source-dir=/nonexistent

for folders in "" : ::; do
    flag "folders of sources '$folders'" "*source-dir names no folder" --source-dir="$folders"
done

mkdir "$WORK/other"
echo "no module" >"$WORK/other/junk.so"
flag "no module" "*cannot load source $WORK/other/junk.so: *" --source-dir="$WORK/other" --resource-manager-sources=junk
cp "$WORK/sources/cpu.so" "$WORK/other/disk.so"
flag "module of another name" "*source $WORK/other/disk.so is broken: *name*" --source-dir="$WORK/other" \
    --resource-manager-sources=disk
chmod 777 "$WORK/other"
flag "module that others can write" "*$WORK/other/disk.so is not loaded: $WORK/other must *" \
    --source-dir="$WORK/other" --resource-manager-sources=disk

say beside --help and --version
for word in --help -h --version -V; do
    rejected "$word and an argument" 2 "error: unexpected argument 'extra'; see --help" provider $word extra
    rejected "$word and an unknown flag" 2 "error: unknown option --nosuch; see --help" provider --nosuch $word
    rejected "$word and a flag without its value" 2 "error: --log-level needs a value; see --help" provider $word --log-level
    rejected "$word and a value too many" 2 "error: --system-bus takes no value*" provider --system-bus=x $word
    refused "$word and several of them" 2 "error: unexpected argument 'a'*error: unknown option --b; see --help" \
        provider a --b $word
    check "$word without a mistake" provider $word
done
check "--help and a flag of a source that is not loaded" provider --help --resource-manager-sources=cpu

say words
for word in --help -h --version -V; do
    rejected "argument beside $word" 2 "error: unexpected argument 'extra'*" provider $word extra
    rejected "unknown flag beside $word" 2 "error: unknown option --nosuch; see --help" provider --nosuch $word
done
check "--version with flags of a source" provider --version --resource-manager-pci-devices-file=x
version_to_full() { provider --version >/dev/full; }
rejected "version on a full disk" 1 "libvirt-provider: cannot write the output: No space left on device" version_to_full
flag "unknown flag" "unknown option --nosuch; see --help" --nosuch
flag "word that begins like a flag" "unknown option --versionx; see --help" --versionx
flag "argument" "unexpected argument 'extra'*" extra
flag "argument after --" "unexpected argument*" -- extra
flag "flag without its value" "--log-level needs a value*" --log-level
flag "value of a flag that has none" "--system-bus takes no value*" --system-bus=false
flag "no UTF-8" "*" --libvirt-uri=$'\xff'
flag "unknown log level" "--log-level must be * but is 'loud'" --log-level=loud
for value in x "" 1.5 99999999999999999999; do
    flag "vm-limit '$value'" "*must be a whole number, but is '$value'" --resource-manager-vm-limit="$value"
done
check_config "vm-limit -1" "error: --resource-manager-vm-limit must not be negative, but is -1" --resource-manager-vm-limit=-1
for value in x "" nan inf 1,5 1e400 0x2; do
    flag "overcommit '$value'" "*must be a decimal number, but is '$value'" --resource-manager-overcommit-vcpu="$value"
done
for value in 0 -1 1001; do
    check_config "overcommit $value" "error: --resource-manager-overcommit-vcpu must be more than 0*but is $value" --resource-manager-overcommit-vcpu=$value
done
for value in x "" -1 1.5 4GB 8Ei; do
    flag "reserved memory '$value'" "*must be a quantity such as 4Gi, but is '$value'" \
        --resource-manager-reserved-memory-size="$value"
done
for value in x -5s; do
    flag "driver timeout '$value'" "*must be a time such as 30s*but is '$value'" \
        --resource-manager-pci-driver-timeout="$value"
done
check_config "driver timeout 0" "error: --resource-manager-pci-driver-timeout must be 1 second to 1 hour, but is 0" --resource-manager-pci-driver-timeout=0
check_config "socket of a long path" "error: --control-socket is too long: *" --control-socket="/$(printf 'a%.0s' {1..107})"
check_config "relative host root" "error: --host-root must be an absolute path, but is 'host'" --host-root=host
check_config "host root that is not there" \
    "error: --host-root is no host: cannot open /nonexistent/sys: No such file or directory (see --host-root: *" --host-root=/nonexistent
check_config "file as a host root" "error: --host-root is no host: * Not a directory *" --host-root="$WORK/classes.yaml"
check_config "host root without sys" "error: --host-root is no host: * No such file *" --host-root="$WORK/sources"
for uri in "" garbage :///system /system %20:///system qemu://host:x/system; do
    check_config "libvirt URI '$uri'" "error: --libvirt-uri must be a URI such as qemu:///system, but is '$uri'" --libvirt-uri="$uri"
done
for uri in qemu+ssh://root@host.example/system?keyfile=/root/key xen: test:///default nosuch:///x; do
    check_config "libvirt URI $uri" "" --libvirt-uri="$uri"
done
check_config "all of them" "error: unexpected argument 'extra'*unknown option --a; *unknown option --b; *error: --log-level must *" \
    --a --log-level=loud --b 1 extra

say key files
key_file "empty key file" "" ''
key_file "all of a key file" "" '# comment\r\n[libvirt-provider]\r\nlog-level=debug\r\n[cpu]\novercommit-vcpu=1.5\n'
key_file "group of a source that is not loaded" "" '[hugepages]\nsize=1\n'
key_file "unknown keys, all of them" "key.conf:2:1: error: unknown key 'a' *key.conf:3:1: error: unknown key 'b' *" \
    '[libvirt-provider]\na=1\nb=2\n'
key_file "unknown key of a source" "key.conf:2:1: error: unknown key 'a' in \[cpu\]; known there: overcommit-vcpu" \
    '[cpu]\na=1\n'
key_file "wrong value" "key.conf:3:1: error: reserved-memory-size must be *" '\n[memory]\nreserved-memory-size=1QQ\n'
key_file "value that a source refuses" "key.conf:2:1: error: overcommit-vcpu must be more than 0 *" \
    '[cpu]\novercommit-vcpu=0\n'
key_file "values that the daemon refuses" "key.conf:2:1: error: resource-manager-vm-limit must not *key.conf:3:1: error: log-level must *" \
    '[libvirt-provider]\nresource-manager-vm-limit=-1\nlog-level=loud\n'
key_file "unknown source" "key.conf:2:1: error: resource-manager-sources names x: no source 'x' *" \
    '[libvirt-provider]\nresource-manager-sources=pci,x\n'
key_file "flag of the command line only" "key.conf:2:1: error: unknown key 'check-config'*" \
    '[libvirt-provider]\ncheck-config=true\n'
key_file "no pair" "key.conf:2:1: error: *" '[libvirt-provider]\nhello\n'
key_file "no group" "key.conf:1:1: error: *" 'log-level=info\n'
key_file "NUL" "key.conf: error: has a NUL character" '[libvirt-provider]\nlog-level=info\n\0[cpu]\nx=1\n'
key_file "no UTF-8" "key.conf:2:1: error: log-level *" '[libvirt-provider]\nlog-level=\xff\n'
key_file "key twice" "key.conf:4:1: error: log-level stands already in line 2: one of them has to go" \
    '[libvirt-provider]\nlog-level=info\n# log-level=error\n log-level = debug\n'
key_file "key twice with the same value" "key.conf:3:1: error: overcommit-vcpu stands already in line 2: *" \
    '[cpu]\novercommit-vcpu=2\novercommit-vcpu=2\n'
key_file "group twice, and a key in both" "key.conf:4:1: error: overcommit-vcpu stands already in line 2: *" \
    '[cpu]\novercommit-vcpu=2\n[cpu]\novercommit-vcpu=3\n'
key_file "key three times, each with the first" "key.conf:3:1: error: * in line 2: *key.conf:4:1: error: * in line 2: *" \
    '[cpu]\novercommit-vcpu=2\novercommit-vcpu=3\novercommit-vcpu=4\n'
key_file "group twice with other keys" "" \
    '[libvirt-provider]\nlog-level=info\n[cpu]\novercommit-vcpu=2\n[libvirt-provider]\nlibvirt-uri=test:///x\n'
key_file "the same key in two groups" "" '[pci]\npci-devices-file='"$WORK"'/pci_devices.yaml\n[other]\npci-devices-file=x\n'
key_file "byte order mark" "key.conf:1:1: error: *" '\xef\xbb\xbf[libvirt-provider]\n'
check_config "missing key file" "/nonexistent: error: *No such file*" --config=/nonexistent
check_config "folder as a key file" "/: error: *" --config=/
mkfifo "$WORK/fifo"
check_config "FIFO as a key file" "$WORK/fifo: error: *" --config="$WORK/fifo"
check_config "device as a key file" "/dev/zero: error: *" --config=/dev/zero
head -c 2000000 /dev/zero | tr '\0' '#' >"$WORK/key.conf"
check_config "key file of 2 MB" "*larger than 1 MiB" --config="$WORK/key.conf"

mkdir "$WORK/conf.d"
echo '[libvirt-provider]' >"$WORK/key.conf"
printf '[libvirt-provider]\nlog-level=loud\n' >"$WORK/conf.d/10-first.conf"
check_config "conf.d is read" "$WORK/conf.d/10-first.conf:2:1: error: log-level must be*" --config="$WORK/key.conf"
printf '[libvirt-provider]\nlog-level=info\n' >"$WORK/conf.d/20-second.conf"
check_config "in its order" "" --config="$WORK/key.conf"
check_config "and flags win" "*log-level must be*" --config="$WORK/key.conf" --log-level=loud
printf 'garbage' >"$WORK/conf.d/.30-hidden.conf"
printf 'garbage' >"$WORK/conf.d/40-old.conf~"
check_config "hidden files and copies are not" "" --config="$WORK/key.conf"
mkdir "$WORK/no" && touch "$WORK/no/conf.d"
echo '[libvirt-provider]' >"$WORK/no/key.conf"
check_config "conf.d that is no folder" "$WORK/no/conf.d: error: *Not a directory" --config="$WORK/no/key.conf"

finish_test
