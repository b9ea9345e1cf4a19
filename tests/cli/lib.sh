# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2119,SC2120 # callers in other files give the arguments
# Sourced by the tests, which meson runs as: TEST BUILD_ROOT. Here: a made host, files to spoil, and a provider on
# libvirt's test driver, all in a folder that goes away.

HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
BUILD=${1:?usage: $0 BUILD_ROOT}
PATH=$BUILD/core:$PATH
WORK=$(mktemp -d /tmp/libvirt-provider.XXXXXX) # not in TMPDIR: the path of a socket has to be short
HOST=$WORK/host
PROVIDER_LOG=$WORK/provider.log
export LIBVIRT_PROVIDER_SOCKET=$WORK/control.sock LC_ALL=C.UTF-8
unset COLUMNS NO_COLOR

# In a build with sanitizers each process, also one whose status nobody looks at, leaves its report as a file. GLib's
# slices would hide what is freed too early or never. fast_unwind_on_malloc=0 from outside shows where a leak is from.
REPORTS=$WORK/reports
SANITIZERS=log_path=$REPORTS/report:abort_on_error=1:print_stacktrace=1
export ASAN_OPTIONS=$SANITIZERS:detect_leaks=1:detect_stack_use_after_return=1:strict_string_checks=1:${ASAN_OPTIONS:-}
export UBSAN_OPTIONS=$SANITIZERS:halt_on_error=1
export TSAN_OPTIONS=$SANITIZERS:suppressions=$HERE/tsan.supp:report_mutex_bugs=0:${TSAN_OPTIONS:-}
export G_SLICE=always-malloc G_DEBUG=fatal-criticals
mkdir "$REPORTS"

# shellcheck source=tests/support/tap.sh
. "$HERE/../support/tap.sh"
# shellcheck source=tests/support/provider.sh
. "$HERE/../support/provider.sh"

clean_up() {
    [ -z "$PROVIDER_PID" ] || kill -9 "$PROVIDER_PID" 2>/dev/null
    rm -rf "$WORK" "$tap_output"
}
trap clean_up EXIT

# --- the host ----------------------------------------------------------------------------------------

# make_file PATH TEXT: below the host's root, with a line end.
make_file() { mkdir -p "$(dirname "$HOST/$1")" && printf '%s\n' "$2" >"$HOST/$1"; }

# make_pci ADDRESS VENDOR DEVICE CLASS GROUP: a function on vfio-pci, as driverctl leaves it. So nothing has to be
# bound, which the files of a made host cannot.
make_pci() {
    local folder=sys/devices/pci0000:00/$1 pair
    for pair in vendor=0x$2 device=0x$3 class=0x$4 subsystem_vendor=0x$2 subsystem_device=0x0001 revision=0xa1 \
        numa_node=0 driver_override=vfio-pci; do
        make_file "$folder/${pair%%=*}" "${pair#*=}"
    done
    mkdir -p "$HOST"/sys/bus/pci/{devices,drivers/vfio-pci} "$HOST/sys/kernel/iommu_groups/$5/devices"
    ln -s "../../../devices/pci0000:00/$1" "$HOST/sys/bus/pci/devices/$1"
    ln -s ../../../bus/pci/drivers/vfio-pci "$HOST/$folder/driver"
    ln -s "../../../kernel/iommu_groups/$5" "$HOST/$folder/iommu_group"
    ln -s "../../../../devices/pci0000:00/$1" "$HOST/sys/kernel/iommu_groups/$5/devices/$1"
}

# hold ADDRESS...: an operation on the device waits in its beginning, until let_go ADDRESS...
override_of() { echo "$HOST/sys/bus/pci/devices/$1/driver_override"; }
hold() {
    local address
    for address; do rm "$(override_of "$address")" && mkfifo "$(override_of "$address")"; done
}
let_go() {
    local address file
    for address; do
        file=$(override_of "$address")
        {
            echo vfio-pci >"$file.new" && mv "$file.new" "$file"
            echo vfio-pci >&3
        } 3>"$file" # opens when the operation reads
    done
}

# Eight CPUs, 16 GiB, two network cards and a GPU.
make_host() {
    mkdir -p "$HOST"/sys/class/{block,net} "$HOST/dev"
    make_file sys/devices/system/cpu/online 0-7
    make_file sys/devices/system/node/node0/cpulist 0-7
    make_file sys/devices/system/node/node0/meminfo "Node 0 MemTotal: 16777216 kB"
    make_file sys/bus/pci/drivers_probe ""
    make_file proc/meminfo "MemTotal: 16777216 kB"
    make_file proc/swaps "Filename Type Size Used Priority"
    make_file proc/self/mountinfo "22 1 254:1 / / rw,relatime - ext4 /dev/vda1 rw"
    make_file proc/sys/kernel/random/boot_id b0070000-0000-4000-8000-000000000001
    make_pci 0000:01:00.0 8086 10d3 020000 1
    make_pci 0000:02:00.0 8086 10d3 020000 2
    make_pci 0000:03:00.0 10de 20b7 030200 3
}

make_config() {
    cat >"$WORK/pci_devices.yaml" <<'YAML'
vendors:
  - id: "0x8086"
    name: intel
    devices:
      - {id: "0x10d3", type: nic, name: 82574l}
  - id: "0x10de"
    name: nvidia
    devices:
      - {id: "0x030200", type: gpu, name: a30}
YAML
    cat >"$WORK/classes.yaml" <<'YAML'
- {name: tiny, capabilities: {cpu: 1m, memory: 1Mi}}
- {name: nic, capabilities: {cpu: 500m, memory: 64Mi, nic.intel/82574l: 1}}
- {name: gpu, capabilities: {cpu: 1, memory: 1Gi, gpu.nvidia/a30: 1}}
- {name: fpga, capabilities: {cpu: 1, memory: 1Mi, fpga.acme/x1: 1}}
YAML
}

# --- the provider ------------------------------------------------------------------------------------

# Its sources are copied, because it takes modules only from folders that nobody else can write, which those of a
# clone may not be.
install -D -t "$WORK/sources" "$BUILD"/plugins/*.so
make_host
make_config

FLAGS=(
    --source-dir="$WORK/sources" --libvirt-uri=test:///default --host-root="$HOST"
    --libvirt-provider-dir="$WORK/state" --control-socket="$LIBVIRT_PROVIDER_SOCKET"
    --supported-machine-classes="$WORK/classes.yaml" --resource-manager-pci-devices-file="$WORK/pci_devices.yaml"
)

# provider [FLAG...]: on the made host, and not for long. A flag that is given twice has the last value.
provider() { timeout 20 libvirt-provider "${FLAGS[@]}" "$@" </dev/null; }

# provider_start [FLAG...]: starts it and waits until it answers.
provider_start() {
    libvirt-provider "${FLAGS[@]}" "$@" </dev/null >>"$PROVIDER_LOG" 2>&1 &
    PROVIDER_PID=$!
    eventually 30 provider_answers_or_ended && provider_is_there
}

no_reports() { ! tail -n +1 "$REPORTS"/* 2>/dev/null; }

begin_provider() {
    provider_start "$@" && return
    show_provider_log
    no_reports | sed 's/^/# /'
    give_up "the provider does not answer"
}

# What must not change when something is refused.
state_of_everything() {
    lpctl machine list -o json && lpctl device list -o json && lpctl class list -o json && lpctl source list -o json
}

# --- tests -------------------------------------------------------------------------------------------

# rejected NAME STATUS PATTERN COMMAND...: like refused, and it is said on stderr only, in one line.
rejected() {
    local name=$1 want=$2 pattern=$3 output status=0
    shift 3
    output=$("$@" 2>"$WORK/stderr") || status=$?
    like "$name" "exit $status, $(wc -l <"$WORK/stderr") line: $output$(cat "$WORK/stderr")" \
        "exit $want, 1 line: $pattern"
}

# to_nobody COMMAND...: prints how it ends, and what it says on stderr, with a pipe as stdout that nobody reads.
to_nobody() {
    rm -f "$WORK/no-reader"
    {
        eventually 10 test -e "$WORK/no-reader"
        "$@" 2>"$WORK/stderr"
        echo "exit $?: $(cat "$WORK/stderr")" >"$WORK/status"
    } | { exec <&- && touch "$WORK/no-reader"; }
    cat "$WORK/status"
}

# check_config NAME PATTERN [FLAG...]: --check-config ends with 2 and says so; with 0 and nothing where PATTERN is "".
check_config() {
    local name=$1 pattern=$2 output status=0
    shift 2
    output=$(provider --check-config "$@" 2>&1) || status=$?
    like "$name" "exit $status: $output" "exit $([ -n "$pattern" ] && echo 2 || echo 0): $pattern"
}

# Ends a test without a provider.
finish_test() {
    check "no sanitizer has reported anything" no_reports
    finish
}

# Ends the test: a provider that has trapped, leaked or broken an assertion is found by its log or its status.
finish_provider() {
    local status=0
    provider_stop || status=$?
    is "the provider ends with 0" $status 0
    check "its log has no assertion" sh -c "! grep -n assertion '$PROVIDER_LOG'"
    PROVIDER_PID=
    [ $tap_failed = 0 ] || show_provider_log
    finish_test
}
