#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The system bus, played by a bus of our own with the shipped policy: who may call and listen, whose the name is, and
# a bus that ends.
set -u
. "$(dirname "$0")/lib.sh"

skip() { echo "1..0 # SKIP $*" && exit 0; }
[ "$(id -u)" = 0 ] || skip "the bus policy gives the name only to root"
for program in dbus-daemon gdbus setpriv; do
    command -v $program >/dev/null || skip "$program is missing"
done

NAME=org.libvirtprovider
DBUS=org.freedesktop.DBus
TOP=$HERE/../..
DENIED="1: *$DBUS.Error.AccessDenied: *"
BUS_PID=

# The group of the policy need not exist here: then another has its part.
GROUP=libvirt-provider
getent group $GROUP >/dev/null || GROUP=daemon
sed "s/group=\"libvirt-provider\"/group=\"$GROUP\"/" "$TOP/config/org.libvirtprovider.conf" >"$WORK/policy.conf"
GROUP=$(getent group $GROUP | cut -d: -f3)

trap 'end_bus; clean_up' EXIT
chmod 711 "$WORK" # the bus is for all users

# --- the bus -----------------------------------------------------------------------------------------

bus_answers() { call_bus GetId; }

# begin_bus [POLICY-FILE]: the system bus of all that follows, with the general rules of any such bus.
begin_bus() {
    cat >"$WORK/bus.conf" <<XML
<busconfig>
  <type>system</type>
  <auth>EXTERNAL</auth>
  <listen>unix:path=$WORK/bus</listen>
  <policy context="default">
    <allow user="*"/>
    <deny own="*"/>
    <deny send_type="method_call"/>
    <allow send_type="signal"/>
    <allow send_requested_reply="true" send_type="method_return"/>
    <allow send_requested_reply="true" send_type="error"/>
    <allow receive_type="method_call"/>
    <allow receive_type="method_return"/>
    <allow receive_type="error"/>
    <allow receive_type="signal"/>
    <allow send_destination="$DBUS"/>
  </policy>
  ${1:+<include>$1</include>}
</busconfig>
XML
    rm -f "$WORK/bus"
    dbus-daemon --config-file="$WORK/bus.conf" --nofork --nopidfile >>"$WORK/bus.log" 2>&1 &
    BUS_PID=$!
    eventually 10 bus_answers || give_up "the bus does not answer: $(cat "$WORK/bus.log")"
}

end_bus() {
    [ -n "$BUS_PID" ] || return
    kill -9 $BUS_PID
    wait $BUS_PID 2>/dev/null
    BUS_PID=
}

# as USER COMMAND...: as nobody, as the same in the group of the policy, or as root.
as() {
    local groups=()
    case $1 in
    nobody) groups=(--reuid=65534 --regid=65534 --clear-groups) ;;
    member) groups=(--reuid=65534 --regid="$GROUP" --clear-groups) ;;
    esac
    timeout 30 setpriv "${groups[@]}" "${@:2}"
}

export DBUS_SYSTEM_BUS_ADDRESS=unix:path=$WORK/bus
call_bus() { as root gdbus call --system --dest $DBUS --object-path / --method "$DBUS.$1" "${@:2}"; }
call_manager_of() { as "$1" gdbus call --system --dest "$2" --object-path /org/libvirtprovider --method "${@:3}"; }
call() { call_manager_of root $NAME "$NAME.Manager1.$1" "${@:2}"; }
introspect() { as root gdbus introspect --xml --system --dest $NAME --object-path "$1" >"$WORK/introspected.xml"; }

# answers NAME PATTERN COMMAND...: like refused, for commands that may succeed.
answers() {
    local name=$1 pattern=$2 output status=0
    shift 2
    output=$("$@" 2>&1) || status=$?
    like "$name" "exit $status: $output" "exit $pattern"
}

# run_job MEMBER ARGUMENT...: as root; sets $job to the job's path and waits until it is done.
run_job() {
    local answer
    answer=$(call "$@") || return
    job=$(cut -d"'" -f2 <<<"$answer")
    eventually 20 job_is "done"
}
job_property() {
    as root gdbus call --system --dest $NAME --object-path "$job" --method $DBUS.Properties.Get $NAME.Job1 "$1"
}
job_is() { [ "$(job_property State)" = "(<'$1'>,)" ]; }

# --- the daemon there --------------------------------------------------------------------------------

# no_start NAME PATTERN: another daemon does not start, says why, and leaves nothing.
no_start() {
    local status=0
    provider --log-level=error --system-bus --host-root="$WORK/host2" --libvirt-provider-dir="$WORK/state2" \
        --control-socket="$WORK/other.sock" >"$WORK/output" 2>&1 || status=$?
    like "$1" "exit $status: $(cat "$WORK/output")" "exit 1: libvirt-provider: --system-bus: $2"
    check "$1: no socket is left" test ! -e "$WORK/other.sock"
}
cp -r "$HOST" "$WORK/host2"

say a bus that does not want it
no_start "no bus" "the system bus cannot be reached: *No such file or directory"
begin_bus
no_start "bus without the policy" \
    "name $NAME is refused: *not allowed to own the service * (is the bus policy installed?)"
end_bus

say the name
begin_bus "$WORK/policy.conf"
begin_provider --system-bus
is "it is the daemon's" "$(call_bus GetConnectionUnixProcessID $NAME)" "(uint32 $PROVIDER_PID,)"
no_start "a second daemon" "another process has the name $NAME (*): stop it first"
is "it is still the first one's" "$(call_bus GetConnectionUnixProcessID $NAME)" "(uint32 $PROVIDER_PID,)"

say root
answers "reads" "0: *'hostRoot': <'$HOST'>*" call GetStatus
check "creates a machine" run_job CreateMachine "{'name': <'vm1'>, 'class': <'nic'>}"
like "the job has the machine's row" "$(job_property Result)" "*'devices': <\\['0000:01:00.0'\\]>*"
is "lpctl shows it" "$(machine vm1 .state)" running
answers "is told what is wrong" "1: *$NAME.Error.NotFound: no device 'x'*" call SetCordoned x true
check "a machine that cannot be" call CreateMachine "{'name': <'vm2'>, 'class': <'fpga'>}"
check "deletes the machine" run_job DeleteMachine vm1 "{}"
is "it is gone" "$(lpctl machine list -o name)" ""

say introspection
check "of the manager" introspect /org/libvirtprovider
check "is as documented" "$HERE/same-interface.py" $NAME.Manager1 "$TOP/core/$NAME.xml" "$WORK/introspected.xml"
check "of a job" introspect "$job"
check "is as documented" "$HERE/same-interface.py" $NAME.Job1 "$TOP/core/$NAME.xml" "$WORK/introspected.xml"

say others
before=$(state_of_everything)
unique=$(call_bus GetNameOwner $NAME | cut -d"'" -f2)
for destination in $NAME "$unique"; do
    answers "nobody reads, of $destination" "$DENIED" \
        call_manager_of nobody "$destination" $NAME.Manager1.GetStatus
    answers "nobody creates, of $destination" "$DENIED" \
        call_manager_of nobody "$destination" $NAME.Manager1.CreateMachine "{'name': <'vm1'>, 'class': <'nic'>}"
    answers "nobody introspects, of $destination" "$DENIED" \
        call_manager_of nobody "$destination" $DBUS.Introspectable.Introspect
done
check "a member of the group reads" call_manager_of member $NAME $NAME.Manager1.GetStatus
is "nothing has changed" "$(state_of_everything)" "$before"

say who listens
# They have asked for the signals before they ask for the owner, which they print.
for user in nobody member; do
    as $user gdbus monitor --system --dest $NAME >"$WORK/$user.signals" 2>&1 &
    check "$user listens" eventually 10 grep "is owned by" "$WORK/$user.signals"
done
check "a machine with a label" run_job CreateMachine "{'name': <'vm1'>, 'class': <'nic'>, 'labels': <{'a': 'b'}>}"
check "it is deleted" lpctl machine delete vm1
provider_stop
is "the daemon ends with 0" $? 0
for user in nobody member; do
    check "$user has seen that the name is free" eventually 10 grep "does not have an owner" "$WORK/$user.signals"
done
is "a member has seen the machine" "$(grep -c "{'a': 'b'}" "$WORK/member.signals")" 1
is "nobody has seen no job" "$(grep -c jobs "$WORK/nobody.signals")" 0

say a bus that ends
check "the daemon starts again" provider_start --system-bus
is "it has the name" "$(call_bus GetConnectionUnixProcessID $NAME)" "(uint32 $PROVIDER_PID,)"
for i in $(seq 10); do
    call CreateMachine "{'name': <'tiny$i'>, 'class': <'tiny'>}" >>"$WORK/output" 2>&1 &
    clients[i]=$!
done
has_begun() { lpctl machine list -o name | grep tiny; }
check "machines are being created" eventually 20 has_begun
end_bus
wait "${clients[@]}"
check "it is in the log" eventually 10 grep -q "warning: the system bus has ended" "$PROVIDER_LOG"
no_operation_is_under_way() { ! lpctl machine list -o json | grep -E 'creating|deleting'; }
check "what has begun is ended" eventually 20 no_operation_is_under_way
is "all is well with it" "$(lpctl machine list -c state -o csv --no-headers | sort -u)" running
check "the control socket is there" lpctl machine create vm2 --class nic
check "reload, too" lpctl reload
begin_bus "$WORK/policy.conf"
is "on a new bus it is not" "$(call_bus NameHasOwner $NAME)" "(false,)"
provider_stop
is "the daemon ends with 0" $? 0
check "and starts again" provider_start --system-bus
answers "now it is" "0: *'machines': *" call GetStatus
lpctl machine list -o name | xargs lpctl machine delete
is "all is free" "$(lpctl device list -c state -o csv --no-headers | sort -u)" free

finish_provider
