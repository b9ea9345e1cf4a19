#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# What can be in the way when the daemon starts: sockets, state, another daemon. It says so, touches nothing that is
# not its own, and ends.
set -u
. "$(dirname "$0")/lib.sh"

# fails NAME STATUS PATTERN FLAG...: the daemon does not start; the last line says why.
fails() {
    local name=$1 want=$2 pattern=$3 status=0
    shift 3
    provider --log-level=error "$@" >"$WORK/output" 2>&1 || status=$?
    like "$name" "exit $status: $(cat "$WORK/output")" "exit $want: libvirt-provider: $pattern"
}

# starts NAME FLAG...: it starts, answers and ends.
starts() {
    local name=$1 status
    shift
    check "$name" provider_start --log-level=error "$@"
    provider_stop
    status=$?
    PROVIDER_PID=
    is "$name: and ends" $status 0
}

# with_socket NAME TYPE: a socket of this type at $WORK/NAME whose owner does not answer, until it is killed.
with_socket() {
    python3 -c 'import socket, sys, time
s = socket.socket(socket.AF_UNIX, getattr(socket, sys.argv[2]))
s.bind(sys.argv[1])
if sys.argv[2] == "SOCK_STREAM":
    s.listen(0)
    clients = [socket.socket(socket.AF_UNIX) for i in range(4)]
    for client in clients:
        client.setblocking(False)
        client.connect_ex(sys.argv[1])
open(sys.argv[1] + ".ready", "w")
time.sleep(60)' "$WORK/$1" "$2" &
    eventually 10 test -e "$WORK/$1.ready"
}

say sockets
fails "file in the place of the socket" 1 "control socket $WORK/classes.yaml: *no socket*" --control-socket="$WORK/classes.yaml"
like "it is still there" "$(head -n 1 "$WORK/classes.yaml")" "*tiny*"
fails "folder in its place" 1 "control socket $WORK: *no socket*" --control-socket="$WORK"
fails "file in the place of its folder" 1 "cannot make folder $WORK/classes.yaml *" --control-socket="$WORK/classes.yaml/x"
like "long path" "$(provider --control-socket="$WORK/$(printf 'a%.0s' {1..108})" 2>&1)" "error: --control-socket is too long: the path of a socket has at most 107 bytes"
is "and no socket of half the path" "$(find "$WORK" -type s)" ""
with_socket busy SOCK_STREAM
fails "socket of somebody who is busy" 1 "control socket $WORK/busy is in use *" --control-socket="$WORK/busy"
check "it is still there" test -S "$WORK/busy"
kill %%
with_socket datagrams SOCK_DGRAM
fails "socket of another kind" 1 "control socket $WORK/datagrams is in use *" --control-socket="$WORK/datagrams"
check "it is still there" test -S "$WORK/datagrams"
kill %%
wait
LIBVIRT_PROVIDER_SOCKET=$WORK/busy starts "a socket that somebody has left" --control-socket="$WORK/busy"
check "is taken away at the end" test ! -e "$WORK/busy"
SPECIAL="$WORK/a b;c,d=e%f.sock"
LIBVIRT_PROVIDER_SOCKET=$SPECIAL starts "a path that needs quoting" --control-socket="$SPECIAL"

say state
fails "file in the place of the state" 1 "cannot make state folder $WORK/classes.yaml: *--libvirt-provider-dir*" \
    --libvirt-provider-dir="$WORK/classes.yaml"
fails "a folder that cannot be made" 1 "cannot make state folder /proc/state: *" --libvirt-provider-dir=/proc/state
mkdir -p "$WORK"/state{1,2,3,4}/state.db
fails "folder as the journal" 1 "cannot open journal $WORK/state1/state.db: *" --libvirt-provider-dir="$WORK/state1"
fails "folder that cannot be written" 1 "cannot lock /sys/state.lock: *--libvirt-provider-dir" \
    --libvirt-provider-dir=/sys
rmdir "$WORK"/state{2,3,4}/state.db
head -c 8192 /dev/urandom >"$WORK/state2/state.db"
cp "$WORK/state2/state.db" "$WORK/state2.copy"
starts "a journal that is none is set aside" --libvirt-provider-dir="$WORK/state2"
check "as it was" cmp "$WORK"/state2/state.db.damaged-*Z "$WORK/state2.copy"
starts "and it goes on with the new one" --libvirt-provider-dir="$WORK/state2"
is "of which there is one" "$(find "$WORK/state2" -name 'state.db*' | wc -l)" 2
python3 -c 'import sqlite3, sys
db = sqlite3.connect(sys.argv[1])
db.execute("PRAGMA user_version=99")
db.execute("PRAGMA application_id=1")' "$WORK/state3/state.db"
KNOWN=$(sed -nE 's/.*SQLite database of schema ([0-9]+) .*/\1/p' "$HERE/../../docs/man/libvirt-provider.8.rst")
cp "$WORK/state3/state.db" "$WORK/state3.copy"
fails "journal of another version" 1 \
    "journal $WORK/state3/state.db is of schema 99 (application 1), this version knows $KNOWN: install the version that wrote it" \
    --libvirt-provider-dir="$WORK/state3"
check "is left as it was" cmp "$WORK/state3/state.db" "$WORK/state3.copy"
: >"$WORK/state4/state.db"
starts "empty journal" --libvirt-provider-dir="$WORK/state4"
starts "new state folder" --libvirt-provider-dir="$WORK/state5/state"
is "nobody else can read it" "$(stat -c %a "$WORK/state5/state/state.db")" 600

say the host
refused "no host" 2 "error: --host-root is no host: cannot open /nonexistent/sys: No such file or directory *" \
    provider --host-root=/nonexistent
mv "$HOST/sys/devices/system/cpu/online" "$WORK/online"
fails "host without CPUs" 1 "source cpu: *" --log-level=error
mv "$WORK/online" "$HOST/sys/devices/system/cpu/online"
fails "more memory reserved than there is" 2 "source memory: reserved-memory-size is 99Gi, but the host has only 16Gi" \
    --resource-manager-reserved-memory-size=99Gi
cp -r "$HOST" "$WORK/plain" && rm -r "$WORK/plain/sys/bus"
starts "a host without PCI" --host-root="$WORK/plain" --libvirt-provider-dir="$WORK/state.plain"

as_nobody() { # who can read all of it, and write nothing
    if [ "$(id -u)" = 0 ]; then
        chmod 755 "$WORK" && chmod -R a+rX "$HOST" && mkdir -p "$HOST/run/libvirt-provider"
        setpriv --reuid=65534 --regid=65534 --clear-groups "$@" </dev/null
    else
        chmod a-w "$HOST/run/libvirt-provider" && "$@" </dev/null
    fi
}
if as_nobody libvirt-provider --version >/dev/null 2>&1; then
    refused "not as root" 1 "libvirt-provider: cannot lock $HOST/run/libvirt-provider/provider.lock: Permission denied: run it as root, or, to try it, with --host-root on a folder of your own" \
        as_nobody libvirt-provider "${FLAGS[@]}" --log-level=error
else
    say "skipped: another user cannot get at the build folder"
fi
chmod u+w "$HOST/run/libvirt-provider"

say what can only be read
mkdir "$WORK/read-only"
# read_only FOLDER COMMAND...: with FOLDER on a file system that nobody can write.
read_only() { unshare -m sh -c 'mount -t tmpfs -o ro none "$0" && exec "$@"' "$@" </dev/null; }
# fails_read_only NAME FOLDER PATTERN FLAG...
fails_read_only() {
    refused "$1" 1 "libvirt-provider: $3" \
        read_only "$2" timeout 20 libvirt-provider "${FLAGS[@]}" --log-level=error "${@:4}"
}
if read_only "$WORK/read-only" true 2>/dev/null; then
    MUST="the daemon must be able to write"
    fails_read_only "state folder" "$WORK/read-only" \
        "cannot lock $WORK/read-only/state.lock: Read-only file system: $MUST in the state folder, see --libvirt-provider-dir" \
        --libvirt-provider-dir="$WORK/read-only"
    fails_read_only "folder above it" "$WORK/read-only" \
        "cannot make state folder $WORK/read-only/state: Read-only file system (see --libvirt-provider-dir)" \
        --libvirt-provider-dir="$WORK/read-only/state"
    fails_read_only "folder of the socket" "$WORK/read-only" \
        "cannot listen on control socket $WORK/read-only/x: *Read-only file system (see --control-socket)" \
        --control-socket="$WORK/read-only/x"
    fails_read_only "folder above that" "$WORK/read-only" \
        "cannot make folder $WORK/read-only/x for the control socket: Read-only file system (see --control-socket)" \
        --control-socket="$WORK/read-only/x/x"
    fails_read_only "run folder" "$HOST/run/libvirt-provider" \
        "cannot lock $HOST/run/libvirt-provider/provider.lock: Read-only file system: $MUST there, see --host-root"
else
    say "skipped: no file system can be mounted here"
fi

# A daemon of another user, on what is not its own.
mkdir "$WORK/foreign" && chmod 777 "$WORK/foreign" "$HOST/run/libvirt-provider"
rm -f "$HOST/run/libvirt-provider/provider.lock"
# fails_as_nobody NAME FILE PATTERN: with this FILE in the state folder that nobody else can write.
fails_as_nobody() {
    echo x >"$WORK/foreign/$2" && chmod 400 "$WORK/foreign/$2"
    refused "$1" 1 "libvirt-provider: $3" \
        as_nobody libvirt-provider "${FLAGS[@]}" --log-level=error --libvirt-provider-dir="$WORK/foreign"
    rm -f "$WORK"/foreign/*
}
if as_nobody libvirt-provider --version >/dev/null 2>&1; then
    fails_as_nobody "lock of somebody else" state.lock \
        "cannot lock $WORK/foreign/state.lock: Permission denied: the daemon must be able to write in the state folder, see --libvirt-provider-dir"
    fails_as_nobody "state of somebody else" state.db \
        "cannot open journal $WORK/foreign/state.db: * (Permission denied): the daemon must be able to write in the state folder, see --libvirt-provider-dir"
fi
rm -rf "$HOST/run/libvirt-provider"

say no libvirt
for uri in "" garbage; do
    refused "libvirt URI '$uri'" 2 "error: --libvirt-uri must be a URI such as qemu:///system, but is '$uri'" provider --libvirt-uri="$uri"
done
check "it starts" provider_start --libvirt-uri=test:///nonexistent
HINT="(is it running? see systemctl status libvirtd; --libvirt-uri names another)"
libvirt_is_missed() { [[ $(lpctl status -o json | jq -r .libvirt) == *nonexistent* ]]; } # it has been tried
check "status says so" eventually 30 libvirt_is_missed
like "status says why, and what to do" "$(lpctl status -o json | jq -r .libvirt)" "not reachable: *nonexistent* $HINT"
for flag in --no-start --dry-run; do
    rejected "create $flag" 7 "lpctl: vm1: libvirt test:///nonexistent cannot be reached: * $HINT" \
        lpctl machine create vm1 --class tiny $flag
done
provider_stop
PROVIDER_PID=

say modules
# Copies, because a clone may be writable for others, and the build folder is not installed.
install -D -t "$WORK/tree/core" "$BUILD"/core/{libvirt-provider,lpctl}
install -D -t "$WORK/tree/plugins" "$BUILD"/plugins/*.so
install -D -t "$WORK/tree/sbin" "$BUILD"/core/{libvirt-provider,lpctl}
in_tree() { LD_LIBRARY_PATH=$BUILD/core "$WORK/tree/$@"; }
default_folder() { in_tree "$1" --config=/dev/null/none --help | sed -nE 's/^ *--source-dir=.*default: (.*)\)$/\1/p'; }
like "outside of a build folder --help names the installed ones" "$(default_folder core/libvirt-provider)" "/*/libvirt-provider/sources-*"
refused "outside of a build folder they are the installed ones" 2 "*no source 'cpu' in /*/libvirt-provider/sources-*" \
    in_tree core/libvirt-provider --check-config --config=/dev/null/none
touch "$WORK/tree/build.ninja"
refused "in a build folder they are found there" 2 "/dev/null/none: error: *" \
    in_tree core/libvirt-provider --check-config --config=/dev/null/none
is "which --help names" "$(default_folder core/libvirt-provider)" "$WORK/tree/plugins"
check "whatever the working folder and the name of the link" sh -c "cd '$WORK' && ln -s tree/core/libvirt-provider link &&
    : >empty.conf && LD_LIBRARY_PATH='$BUILD/core' ./link --check-config --config=empty.conf"
check "by lpctl, too" in_tree core/lpctl pci-devices check "$WORK/pci_devices.yaml"
refused "but not for another folder beside it" 2 "*no source 'cpu' in /*/libvirt-provider/sources-*" \
    in_tree sbin/libvirt-provider --check-config --config=/dev/null/none
chmod 777 "$WORK/tree/plugins"
refused "and not where others can write" 2 "*$WORK/tree/plugins must belong to root *" \
    in_tree core/libvirt-provider --check-config --config=/dev/null/none

say a second daemon
begin_provider
check "the first one works" lpctl machine create vm1 --class nic
before=$(state_of_everything)
fails "a second one on this host" 1 "another libvirt-provider runs on host root $HOST/ *stop it first"
fails "with other paths" 1 "another libvirt-provider runs on host root *" --control-socket="$WORK/other.sock" \
    --libvirt-provider-dir="$WORK/other" --host-root="$WORK/../${WORK##*/}/host/"
check "it has made nothing" test ! -e "$WORK/other.sock" -a ! -e "$WORK/other"
cp -r "$HOST" "$WORK/host2"
fails "on another host with this socket" 1 "control socket * is in use *" --host-root="$WORK/host2" \
    --libvirt-provider-dir="$WORK/other"
fails "on another host with this state" 1 "another libvirt-provider uses state folder $WORK/state *stop it first*" \
    --host-root="$WORK/host2" --control-socket="$WORK/other.sock" --orphan-grace=0
is "the first one has noticed nothing" "$(state_of_everything)" "$before"
is "its socket is closed to others" "$(stat -c %a "$LIBVIRT_PROVIDER_SOCKET")" 660

say closed standard files
check "the first one ends with 0" provider_stop
fails "one on another host does not take over its state" 1 \
    "state folder $WORK/state is of host root $HOST, but --host-root is $WORK/host2: *--libvirt-provider-dir" \
    --host-root="$WORK/host2" --control-socket="$WORK/other.sock" --orphan-grace=0
libvirt-provider "${FLAGS[@]}" <&- >&- 2>&- &
PROVIDER_PID=$!
check "it starts" eventually 30 lpctl status
is "its claims are there" "$(device 0000:01:00.0 .machine)" vm1
check "and nothing else got their numbers" sh -c "! readlink /proc/$PROVIDER_PID/fd/[012] | grep -v '^/$'"
check "the machine is deleted" lpctl machine delete vm1

say a source that is missing
check "a machine with a device" lpctl machine create vm1 --class nic --no-start
check "the provider ends" provider_stop
pci_flag=${FLAGS[-1]}
unset 'FLAGS[-1]'
begin_provider --resource-manager-sources=cpu,memory --orphan-grace=0
machine() { lpctl machine show vm1 -o json | jq -r ".machines[0] | $1"; }
is_orphaned() { [ "$(machine .state)" = orphaned ]; }
check "it is orphaned: libvirt's test driver has forgotten it" eventually 30 is_orphaned
like "but what is missing is said first" "$(machine .reason)" "source-missing: source pci, * --resource-manager-sources; *"
refused "it cannot be deleted" 5 "*source-missing: *" lpctl machine delete vm1
check "the provider ends again" provider_stop
FLAGS+=("$pci_flag")
begin_provider
check "with the source it can" lpctl machine delete vm1
check "the provider ends" provider_stop

say huge pages
HUGE=(--resource-manager-sources=cpu,hugepages,pci)
fails "a kernel that has none" 2 "source hugepages cannot start: the kernel has no huge pages of 0; it has: none *" "${HUGE[@]}"
for folder in kernel/mm devices/system/node/node0; do
    mkdir -p "$HOST/sys/$folder/hugepages/hugepages-2048kB"
    echo 10 >"$HOST/sys/$folder/hugepages/hugepages-2048kB/nr_hugepages"
done
HUGE+=(--resource-manager-hugepages-size=2Mi --resource-manager-blocked-hugepages=2)
fails "another size" 2 "*no huge pages of 1Gi; it has: 2Mi *" "${HUGE[@]}" --resource-manager-hugepages-size=1Gi
fails "two sources of memory" 1 "*memory and hugepages*" "${HUGE[@]}" --resource-manager-sources=cpu,memory,hugepages,pci
begin_provider "${HUGE[@]}"
like "pages and their memory are offered" "$(lpctl source list --no-headers -c name,resources,health)" \
    "*hugepages *hugepages=8/8*memory=16Mi/16Mi*no hugetlbfs with pages of 2Mi is mounted: *"
xml=$(lpctl machine create vm1 --class tiny --dry-run -o xml)
like "a machine has its memory in a page" "$xml" '*<memory unit="KiB">2048</memory>*<page size="2048" unit="KiB"/>*'
like "on the node that has it" "$xml" '*<memory mode="strict" nodeset="0"/>*'
check "it is made" lpctl machine create vm1 --class tiny
is "the other pages are free" "$(lpctl source list -o json | jq -r '.sources[] | .resources.hugepages.available | strings')" 7
check "it is deleted" lpctl machine delete vm1

finish_provider
