#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Machine classes and pci_devices.yaml: what is wrong with a file is said with its line, and ends nothing but the
# reading of it.
set -u
. "$(dirname "$0")/lib.sh"

# classes NAME PATTERN TEXT, devices NAME PATTERN TEXT: what is said about a file with this text (as of printf).
classes() {
    # shellcheck disable=SC2059 # the text has escapes
    printf -- "$3" >"$WORK/c.yaml"
    check_config "classes: $1" "${2:+$WORK/c.yaml$2}" --supported-machine-classes="$WORK/c.yaml"
}
devices() {
    # shellcheck disable=SC2059
    printf -- "$3" >"$WORK/p.yaml"
    check_config "devices: $1" "${2:+$WORK/p.yaml$2}" --resource-manager-pci-devices-file="$WORK/p.yaml"
}

say any file
for file in missing=/nonexistent folder=/ device=/dev/zero empty=/dev/null; do
    check_config "classes: $file" "${file#*=}: error: cannot be read: *" --supported-machine-classes="${file#*=}"
    check_config "devices: $file" "${file#*=}: error: cannot be read: *" --resource-manager-pci-devices-file="${file#*=}"
done
mkfifo "$WORK/fifo"
check_config "FIFO" "$WORK/fifo: error: cannot be read: not a regular file" --supported-machine-classes="$WORK/fifo"
check_config "device" "/dev/null: error: cannot be read: not a regular file" --supported-machine-classes=/dev/null
if [ "$(id -u)" != 0 ]; then
    touch "$WORK/closed" && chmod 0 "$WORK/closed"
    check_config "unreadable" "$WORK/closed: error: *Permission denied" --supported-machine-classes="$WORK/closed"
fi
head -c 1100000 /dev/zero | tr '\0' '#' >"$WORK/large.yaml"
check_config "too large" "$WORK/large.yaml: error: larger than 1 MiB" --supported-machine-classes="$WORK/large.yaml"
head -c 100000 /dev/zero | tr '\0' '[' >"$WORK/deep.yaml"
check_config "too deep" "*:1:17: error: nested too deep *" --supported-machine-classes="$WORK/deep.yaml"
for i in $(seq 1000); do echo "- {name: c$i, capabilites: {cpu: 1}}"; done >"$WORK/many.yaml"
is "not more than 100 mistakes" "$(provider --check-config --supported-machine-classes="$WORK/many.yaml" 2>&1 | wc -l)" 101

classes "nothing" ":1:1: error: the file is empty" ''
classes "comment" ":1:1: error: the file is empty" '# nothing\n'
classes "alias bomb" ":1:5: error: anchors *" 'a: [&a [x, x], *a, *a]\n'
classes "tag" ":1:3: error: tags *" '- !!python/object {name: a}\n'
classes "second document" ":2:1: error: a second document *" '[]\n---\n[]\n'
classes "NUL" ":1:1: error: control characters *" '- name: a\0b\n'
classes "no UTF-8" ":1:1: error: *UTF-8*" '- name: \xff\n'
classes "tabs" ":2:1: error: *" '- name: a\n\tcapabilities: {cpu: 1}\n'
classes "line ends of Windows" "" '- name: a\r\n  capabilities: {cpu: 1}\r\n'
classes "byte order mark" "" '\xef\xbb\xbf- {name: a, capabilities: {cpu: 1}}\n'
classes "terminal sequences are not passed on" ":1:10: error: '\?\[2Jx'*" '- {name: "\\e[2Jx", capabilities: {cpu: 1}}\n'

say machine classes
classes "JSON" "" '[{"name":"a","capabilities":{"cpu":2,"memory":2147483648,"gpu.nvidia/x":1}}]'
classes "no class at all" "" '[]\n'
classes "a mapping" ":1:1: error: *must be a list*" 'a: b\n'
classes "plain text" ":1:1: error: *must be a list*" 'null\n'
classes "no capabilities" ":1:3: error: *needs name and capabilities" '- name: a\n'
classes "unknown key" ":1:37: error: unknown key 'x'; *" '- {name: a, capabilities: {cpu: 1}, x: 1}\n'
classes "key twice" ":1:13: error: key 'name' stands here twice" '- {name: a, name: b, capabilities: {cpu: 1}}\n'
classes "class twice" ":2:10: error: class a exists already in line 1, column 10" \
    '- {name: a, capabilities: {cpu: 1}}\n- {name: a, capabilities: {cpu: 1}}\n'
classes "asks for nothing" ":1:27: error: class a asks for nothing" '- {name: a, capabilities: {}}\n'
for name in '""' .a .. a/b "a b" 😀 "$(printf 'a%.0s' {1..65})"; do
    classes "name $name" ":1:10: error: *is no name for a class*" "- {name: $name, capabilities: {cpu: 1}}\n"
done
for value in -1=negative 1Z="is none" 0="must be more than 0" 99999999999999999999="too large" 1u="finer" '""'="is none" \
    '{}'="plain text" '[1]'="plain text" true="is none" 0x10="is none"; do
    classes "cpu: ${value%%=*}" ":1:33: error: *${value#*=}*" "- {name: a, capabilities: {cpu: ${value%%=*}}}\n"
done
classes "half a device" ":1:37: error: *finer*" '- {name: a, capabilities: {gpu.x/y: 500m}}\n'
classes "no name of a resource" ":1:28: error: 'a b' is no name of a resource *" '- {name: a, capabilities: {a b: 1}}\n'

for name in null "~" true 5 1.5 1e3 0x10; do
    classes "name $name" ":1:10: error: name must be text, but $name is *: put it in quotes" "- {name: $name, capabilities: {cpu: 1}}\n"
done
classes "name of nothing" ":1:8: error: name must be text, but there is none" "- name:\n  capabilities: {cpu: 1}\n"
classes "JSON with a number for a name" ":1:10: error: name must be text, but 5 is a number: put it in quotes" \
    '[{"name":5,"capabilities":{"cpu":2}}]'
classes "names in quotes" "" "$(printf -- '- {name: "%s", capabilities: {cpu: 1}}\\n' null true 5 1.5)"
classes "names that are text without quotes" "" "$(printf -- '- {name: %s, capabilities: {cpu: 1}}\\n' yes off 82574l 1.2.3)"
classes "resource of no text" ":1:*: error: the name of a resource must be text, but null is no value: put it in quotes" \
    '- {name: a, capabilities: {null: 1}}\n'

say pci_devices.yaml
V='vendors: [{id: "0x10de", name: nvidia, devices: ['
devices "no vendor" "" 'vendors: []\n'
devices "no vendors" ":1:1: error: vendors is missing" '{}\n'
devices "wrong types, all of them" ":2:15: error: devices must be a list*:3:5: error: a vendor must be a mapping*" \
    'vendors:\n  - {devices: 7, id: "0x10de", name: x}\n  - 7\n'
devices "device id and class" "" "$V"'{id: "0x20B7", name: A30.1, type: gpu}, {id: "0x030200", name: b, type: gpu}]}]\n'
for id in 0x20b 20b7 0x20b7f '""' 8375; do
    devices "id $id" ":1:5[0-9]: error: id must be 0x and six hex digits * or four *" "$V{id: $id, name: a, type: gpu}]}]\n"
done
devices "id 0x20g7" ":1:55: error: id must be 0x and 4 hex digits, but is '0x20g7'" "$V"'{id: "0x20g7", name: a, type: gpu}]}]\n'
devices "vendor id" ":1:16: error: id must be 0x and 4 hex digits, but is '10de'" \
    'vendors: [{id: "10de", name: nvidia, devices: []}]\n'
for name in null "~" False 1.5 1e3; do
    devices "name $name" ":1:*: error: name must be text, but $name is *: put it in quotes" "$V{id: 0x20b7, name: $name, type: gpu}]}]\n"
done
for type in null true 5; do
    devices "type $type" ":1:*: error: type must be text, but $type is *: put it in quotes" "$V{id: 0x20b7, name: a, type: $type}]}]\n"
done
devices "vendor of a number" ":1:30: error: name must be text, but 3 is a number: put it in quotes" \
    'vendors: [{id: 0x10de, name: 3, devices: []}]\n'
devices "all of them" ":1:30: error: name *:2:*: error: name *:2:*: error: type *" \
    'vendors: [{id: 0x10de, name: ~, devices: [\n{id: 0x20b7, name: null, type: 5}]}]\n'
devices "names of digits, ids without quotes" "" "$V{id: 0x20b7, name: 82574, type: gpu}, {id: 0x030200, name: 5, type: gpu}]}]\n"
# Colours and dates are text as any other, and so are the words that YAML 1.1 takes for booleans, but 1.2 does not.
for word in red yes on no off y n 2026-11-26 12_5; do
    devices "vendor, device and type '$word'" "" \
        "vendors: [{id: 0x10de, name: $word, devices: [{id: 0x20b7, name: $word, type: $word}]}]\n"
    classes "of $word" "" "- {name: $word, capabilities: {$word.$word/$word: 1}}\n"
done
devices "in quotes all is text" "" \
    'vendors: [{id: 0x10de, name: "null", devices: [{id: "0x20b7", name: "1.5", type: "5"}]}]\n'
devices "dot in a type" ":1:*: error: type must be 1 to 63 of *" "$V"'{id: "0x20b7", name: a, type: g.pu}]}]\n'
devices "slash in a name" ":1:*: error: name must be 1 to 63 of *" "$V"'{id: "0x20b7", name: a/b, type: gpu}]}]\n'
devices "half a subsystem" ":1:*: error: subsystemVendor and subsystemDevice must stand together" \
    "$V"'{id: "0x20b7", name: a, type: gpu, subsystemVendor: "0x10de"}]}]\n'
devices "class of bridges" ":1:*: error: class 0x060400 is a bridge'*" "$V"'{id: "0x060400", name: a, type: gpu}]}]\n'
devices "vendor twice" ":3:10: error: vendor 0x10de stands already in line 2, column 10: *" \
    'vendors:\n  - {id: "0x10de", name: a, devices: []}\n  - {id: "0x10DE", name: b, devices: []}\n'
devices "entries of equal weight" ":2:4: error: matches the same devices as the entry in line 1, column 50, *" \
    "$V"'{id: "0x20b7", name: a, type: gpu},\n   {id: "0x20B7", name: b, type: gpu}]}]\n'

say without a daemon
pci_devices() { lpctl pci-devices --source-dir="$WORK/sources" "$@"; }
rejected "no name of a file" 2 "lpctl: FILE must be the path of a file, but is ''" pci_devices check ""
generate() { pci_devices generate --host-root="$HOST" >"$WORK/generated.yaml"; }
check "check of a good file" pci_devices check "$WORK/pci_devices.yaml"
refused "check of a bad file" 2 "$WORK/classes.yaml:1:1: error: *" pci_devices check "$WORK/classes.yaml"
refused "check of a missing file" 2 "/nonexistent: error: *" pci_devices check /nonexistent
rejected "check of a file without a name" 2 "lpctl: FILE must be the path of a file, but is ''" pci_devices check ""
rejected "check of no file" 2 "lpctl: FILE is missing; usage: lpctl pci-devices check FILE" pci_devices check
for command in "check $WORK/pci_devices.yaml" generate; do
    # shellcheck disable=SC2086 # words of a command
    rejected "$command without sources" 1 \
        "lpctl: source pci is not in $WORK/host: is libvirt-provider installed as a whole? --source-dir says *" \
        lpctl pci-devices $command --source-dir="$WORK/host"
done
check "generate" generate
is "names what the host has" "$(grep -c '^ *- id:' "$WORK/generated.yaml")" 4
check "its output passes check" pci_devices check "$WORK/generated.yaml"
rejected "generate on a relative root" 2 "*--host-root must be an absolute path*" pci_devices generate --host-root=host
refused "generate on no host" 2 "*/nonexistent/sys: No such file or directory (see --host-root: *" pci_devices generate --host-root=/nonexistent

finish_test
