#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# What lpctl prints: JSON, YAML and CSV that others can read, whatever stands in labels; tables that do not drive
# the terminal.
set -u
. "$(dirname "$0")/lib.sh"

LABELS=(
    'a: b=c' '#x=y' 'true=no' 'yes=on' 'y=off' '- q=1' '"=2' "'=3" 'k={[,' $'n\nl=x\ny' $'tab\t=\t' '*a=b' '1=2' 'null=null' '~=~'
    $'esc=\e[31m' 'quote=a"b,c' '😀=é' 'u=a=b' $'del=\x7f' $'c1=\xc2\x9b1m\xc2\x85\xe2\x80\xa8' '<<=x' ' =sp' '?=x'
    'a\b=c\d' 'app.kubernetes.io/name=web' 'empty='
)

# reads FORMAT COMMAND...: the output can be read as such; yaml: and is the same as the JSON.
reads() {
    "${@:2}" -o "$1" >"$WORK/output" && "${@:2}" -o json >"$WORK/output.json" &&
        python3 "$HERE/read-output.py" "$1" "$WORK/output" "$WORK/output.json"
}
labels_as_csv() {
    lpctl machine list -o csv -c name,labels >"$WORK/output" && python3 "$HERE/read-output.py" csv "$WORK/output" /dev/null
}

make_pci 0000:03:00.1 10de 10f0 040300 3 # goes along with the GPU, and is in no entry
# A card on a driver of the host, and one without a driver and a group.
make_pci 0000:04:00.0 8086 100e 020000 4
rm "$HOST/sys/bus/pci/devices/0000:04:00.0/driver"
mkdir "$HOST/sys/bus/pci/drivers/e1000"
ln -s ../../../bus/pci/drivers/e1000 "$HOST/sys/bus/pci/devices/0000:04:00.0/driver"
make_pci 0000:05:00.0 8086 100e 020000 5
rm "$HOST/sys/bus/pci/devices/0000:05:00.0"/{driver,iommu_group}
begin_provider
arguments=()
for label in "${LABELS[@]}"; do arguments+=(--label "$label"); done
check "a machine with difficult labels" lpctl machine create vm1 --class nic "${arguments[@]}" --annotation '!a=%'
check "another" lpctl machine create vm2 --class tiny --no-start

say formats
for command in "source list" "device list" "device list --all" "class list" "machine list" "machine show vm1" \
    "device show 0000:01:00.0" "class show nic" status; do
    # shellcheck disable=SC2086 # words of a command
    for format in json yaml; do check "$command as $format" reads $format lpctl $command; done
done
for command in "source list" "device list" "class list" "machine list" "machine show vm1"; do
    # shellcheck disable=SC2086
    check "$command as csv" reads csv lpctl $command
done
check "labels as csv" labels_as_csv
is "all labels are kept" "$(machine vm1 '.labels | length')" ${#LABELS[@]}
is "with their values" "$(machine vm1 '.labels["n\nl"]')" $'x\ny'
KEYS="class,device,driver,iommuGroup,originalDriver,revision,subsystemDevice,subsystemVendor,vendor"
is "each device has all attributes" \
    "$(lpctl device list --all -o json | jq -r '.devices[].attributes | keys | join(",")' | sort -u)" "$KEYS"
attributes() { device "$1" ".attributes | [.driver, .originalDriver, .iommuGroup] | tojson"; }
is "a driver before vfio-pci that is not known is null" "$(attributes 0000:02:00.0)" '["vfio-pci",null,"2"]'
is "a driver of the host is both" "$(attributes 0000:04:00.0)" '["e1000","e1000","4"]'
is "what there is not is null" "$(attributes 0000:05:00.0)" '[null,null,null]'
like "and - in a table" "$(lpctl device list --all -c id,driver,attributes.originalDriver,group --no-headers)" \
    "*0000:04:00.0  e1000     e1000  4"$'\n'"0000:05:00.0  -         -      -"
is "and empty in csv" "$(lpctl device list --all -c driver,attributes.originalDriver,group -o csv --no-headers | tail -n 1)" ,,
like "and - among all" "$(lpctl device show 0000:05:00.0)" "*attributes: driver=- originalDriver=- vendor=0x8086 *iommuGroup=-"
is "a new machine as json" "$(lpctl machine create vm3 --class tiny -o json | jq -r '.machines[0] | .name + " " + .state')" \
    "vm3 running"
is "a new machine as a name" "$(lpctl machine create vm4 --class tiny -o name)" vm4
is "a new machine by columns" "$(lpctl machine create vm5 --class tiny -c name,state --no-headers)" "vm5  running"
lpctl machine delete vm5
is "names" "$(lpctl machine list -o name | xargs)" "vm1 vm2 vm3 vm4"

say tables
is "columns by name and by path" "$(lpctl machine list -c name,state,resources.nic.intel/82574l --no-headers | head -n 1)" \
    "vm1  running  1"
is "a label with dots" "$(lpctl machine show vm1 -c labels.app.kubernetes.io/name -o csv --no-headers)" web
is "in any case" "$(lpctl device list -c IDENTITY,Numa -o csv --no-headers | head -n 1)" "8086:10d3:8086:0001:a1:020000,0"
is "csv has all columns" "$(lpctl device list -o csv | head -n 1)" ID,RESOURCE,STATE,MACHINE,DRIVER,GROUP,NUMA,REASON
is "its fields are quoted" "$(lpctl machine list -o csv -c labels.quote --no-headers | head -n 1)" '"a""b,c"'
lpctl device cordon 0000:02:00.0 0000:01:00.0
states() { lpctl device list -c state --no-headers -o "$1" | xargs; }
is "csv says of a free device why it is not offered, like the table" "$(states csv)" "$(states table)"
is "and so none is counted as free that is not" "$(states csv)" "in-use,cordoned cordoned free"
lpctl device uncordon 0000:02:00.0 0000:01:00.0
has_controls() { LC_ALL=C grep -qP '[\x00-\x09\x0b-\x1f\x7f]|\xc2[\x80-\x9f]'; }
for command in "machine list -c labels" "machine show vm1" "machine explain vm1"; do
    # shellcheck disable=SC2086
    is "$command has no control characters" "$(lpctl $command | has_controls && echo some)" ""
done
is "machine show has a line per key" "$(lpctl machine show vm1 | wc -l)" 10
is "no colour for a file" "$(lpctl device list | has_controls && echo some)" ""
like "colour where it is wanted" "$(lpctl device list --color=always)" $'*\e\\[32mfree\e\\[0m*'
is "machines of a table are aligned" "$(lpctl machine list --no-headers -c name,class,state | awk '{print index($0, $3)}' |
    sort -u | wc -l)" 1

say what goes along
all() { lpctl device list --all -o json | jq -r ".devices[] | select(.id == \"$1\") | $2"; }
like "a neighbour that nobody holds" "$(all 0000:03:00.1 .reason) $(all 0000:03:00.1 .machine)" "no entry * names it null"
like "is explained, too" "$(lpctl device explain 0000:03:00.1)" "0000:03:00.1 is of no resource; *not offered: no entry *"
check "a machine gets the group" lpctl machine create vm9 --class gpu --no-start
is "the neighbour is that machine's" "$(all 0000:03:00.1 .reason) $(all 0000:03:00.1 .machine)" \
    "it goes along with 0000:03:00.0, which is held by vm9 vm9"
like "and is explained so" "$(lpctl device explain 0000:03:00.1)" "*it goes along with 0000:03:00.0, which is held by vm9.*"
refused "a device that nobody knows" 10 "*no device '0000:0f:00.0'*" lpctl device explain 0000:0f:00.0
check "the machine is deleted" lpctl machine delete vm9

finish_provider
