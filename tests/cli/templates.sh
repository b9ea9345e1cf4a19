#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Templates that are no domain, too large, hostile, or take what they should not: refused, and nothing is left.
set -u
. "$(dirname "$0")/lib.sh"

OS='<os><type>hvm</type></os>'

template() { lpctl machine create vm1 --class tiny --template "$1"; }

# bad NAME PATTERN TEXT: a machine with this template (as of printf) is refused as bad input.
bad() {
    # shellcheck disable=SC2059 # the text has escapes
    printf -- "$3" >"$WORK/template.xml"
    rejected "$1" 2 "lpctl: vm1: $2" template "$WORK/template.xml"
}

try_template() { lpctl machine create vm1 --class tiny --template "$WORK/template.xml" --dry-run "$@"; }

# unknown NAME PATTERN TEXT: the domain of this template is not valid by libvirt's schema; a dry run sees that, too.
unknown() {
    bad "$1" "the domain is not valid by libvirt's schema: $2 does not belong there, *" "$3"
    rejected "$1, as a dry run" 2 "lpctl: vm1: the domain is not valid by libvirt's schema: $2 *" try_template
    like "$1, to be looked at" "$(try_template -o xml 2>"$WORK/stderr")" "*<domain*<name>vm1</name>*"
}

# good NAME TEXT: a machine with this template can be made, and is deleted again.
good() {
    # shellcheck disable=SC2059
    printf -- "$2" >"$WORK/template.xml"
    check "$1" template "$WORK/template.xml"
    lpctl machine delete vm1
}

# hostdev NAME ADDRESS-ATTRIBUTES: a template that holds the device of ours at 0000:01:00.0 is refused.
hostdev() {
    bad "$1" "the template holds 0000:01:00.0 itself, *" "<domain type='test'>$OS<devices>
        <hostdev mode='subsystem' type='pci'><source><address $2/></source></hostdev></devices></domain>"
}

cat >>"$WORK/classes.yaml" <<'YAML'
- {name: no-cpu, capabilities: {memory: 64Mi}}
- {name: no-memory, capabilities: {cpu: 1}}
YAML
make_pci 0000:03:00.1 10de 10f0 040300 3 # goes along with the GPU, and is in no entry
make_pci 0000:04:00.0 10de 10f0 040300 4 # nobody's
begin_provider
before=$(state_of_everything)

say files
rejected "missing file" 2 "*template /nonexistent cannot be read: No such file*" template /nonexistent
rejected "folder" 2 "*template / cannot be read: Is a directory" template /
rejected "device without end" 2 "*larger than 1 MiB" template /dev/zero
bad "nothing" "domain template, line 1: no XML: *empty" ''
bad "NUL" "*not UTF-8 text" '<domain>\0</domain>'
bad "no UTF-8" "*not UTF-8 text" '<domain>\xff</domain>'
{ echo "<domain><!--" && head -c 1048576 /dev/zero | tr '\0' ' ' && echo "--></domain>"; } >"$WORK/large.xml"
rejected "1 MiB and more" 2 "*larger than 1 MiB" template "$WORK/large.xml"

say XML
bad "no XML" "domain template, line 1: no XML: *" 'hello'
bad "cut off" "domain template, line 2: no XML: *" '<domain>\n<os>'
bad "two roots" "domain template, line 1: no XML: *" '<domain/><domain/>'
bad "attribute twice" "domain template, line 1: no XML: *" '<domain type="a" type="b"/>'
bad "control character" "domain template, line 1: no XML: *" '<domain><title>\x01</title></domain>'
bad "reference to one" "domain template, line 1: no XML: *" '<domain><title>&#0;</title></domain>'
bad "unknown encoding" "domain template, line 1: no XML: *" '<?xml version="1.0" encoding="x"?><domain/>'
bad "300 levels" "domain template, line 1: no XML: *" "<domain>$(printf '<a>%.0s' {1..300})"
bad "document type" "*a document type (DTD, entities) is not allowed" '<!DOCTYPE domain><domain/>'
bad "entity" "*a document type (DTD, entities) is not allowed" '<!DOCTYPE a [<!ENTITY b "c">]><domain>&b;</domain>'
bad "file as an entity" "*a document type (DTD, entities) is not allowed" \
    '<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><domain>&b;</domain>'
bad "a million laughs" "*a document type (DTD, entities) is not allowed" \
    '<!DOCTYPE a [<!ENTITY b "ha"><!ENTITY c "&b;&b;&b;"><!ENTITY d "&c;&c;&c;">]><domain>&d;</domain>'
bad "entity that nobody declared" "domain template, line 1: no XML: *" '<domain>&b;</domain>'
bad "another root" "*the root element must be <domain>, but is <network>" '<network/>'
bad "a domain of another namespace" "*the root element must be <domain>*" '<domain xmlns="urn:x"/>'
unknown "unknown element" /domain/nosuch "<domain type='test'>$OS<nosuch/></domain>"
unknown "unknown element of a device" "/domain/devices/controller\\[1\\]/nosuch" "<domain type='test'>$OS<devices>
    <controller type='usb' model='none'><nosuch/></controller><controller type='scsi'/></devices></domain>"
unknown "unknown attribute" "/domain/vcpu/@nosuch" "<domain type='test'>$OS<vcpu nosuch='1'/></domain>"
bad "two mistakes" "*schema: it has several mistakes, or something is missing; look at the template *" \
    "<domain type='test'>$OS<nosuch1/><nosuch2/></domain>"
unknown "inclusion of a file" /domain/x:include "<domain type='test'>$OS
    <x:include xmlns:x='http://www.w3.org/2001/XInclude' href='/etc/passwd' parse='text'/></domain>"

say our devices
hostdev "our device" "domain='0x0000' bus='0x01' slot='0x00' function='0x0'"
hostdev "in decimal" "domain='0' bus='1' slot='0' function='0'"
hostdev "with the defaults left out" "bus='0x1' slot='0x0'"
bad "as an interface" "the template holds 0000:01:00.0 itself, *" "<domain type='test'>$OS<devices><interface type='hostdev'>
    <source><address type='pci' domain='0' bus='1' slot='0' function='0'/></source></interface></devices></domain>"
bad "as a disk" "the template holds 0000:01:00.0 itself, *" "<domain type='test'>$OS<devices><disk type='nvme'>
    <source type='pci' namespace='1'><address domain='0' bus='1' slot='0' function='0'/></source></disk></devices></domain>"
bad "what goes along with one of ours" "the template holds 0000:03:00.1 itself, which goes along with a device *" \
    "<domain type='test'>$OS<devices><hostdev mode='subsystem' type='pci'>
    <source><address domain='0' bus='3' slot='0' function='1'/></source></hostdev></devices></domain>"
good "a device that is not ours" "<domain type='test'>$OS<devices><hostdev mode='subsystem' type='pci'>
    <source><address domain='0' bus='4' slot='0' function='0'/></source></hostdev></devices></domain>"
is "nothing is left of all that" "$(state_of_everything)" "$before"

say CPUs and memory beside those of the class
NO_MEMORY="is not allowed: the class says how much memory the machine gets"
bad "guest NUMA cell" "domain template, line 1: a guest NUMA cell with memory $NO_MEMORY" \
    "<domain type='test'>$OS<cpu><numa><cell id='0' cpus='0' memory='8' unit='GiB'/></numa></cpu></domain>"
bad "room for more" "domain template, line 1: <maxMemory> $NO_MEMORY" \
    "<domain type='test'><maxMemory slots='2' unit='GiB'>8</maxMemory>$OS</domain>"
bad "memory device" "domain template, line 2: a memory device $NO_MEMORY" "<domain type='test'>$OS<devices>
    <memory model='dimm'><target><size unit='GiB'>8</size><node>0</node></target></memory></devices></domain>"
class() { lpctl class list -o json | value_of "$1" "$2"; }
value_of() { python3 -c 'import json, sys
print(*(c[sys.argv[2]] for c in json.load(sys.stdin)["classes"] if c["name"] == sys.argv[1]))' "$@"; }
is "of a class without memory there is none" "$(class no-memory available)" 0
refused "and it says why" 4 "*class no-memory: source memory: names no memory: *" \
    lpctl machine create vm1 --class no-memory
is "a class without CPUs gets one" "$(class no-cpu available)" 8
echo "<domain type='test'><vcpu current='7'>99</vcpu><vcpus><vcpu id='0' enabled='yes' hotpluggable='no'/></vcpus>$OS</domain>" \
    >"$WORK/template.xml"
check "whatever the template says" lpctl machine create vm1 --class no-cpu --template "$WORK/template.xml"
is "and the one is counted" "$(class no-cpu available)" 7
check "the domain has one" sh -c "lpctl machine create vm2 --class no-cpu --template '$WORK/template.xml' --dry-run -o xml |
    tr -d '\n' | grep -q '<vcpu>1</vcpu>.*</domain>'"
check "and no others" sh -c "! lpctl machine create vm2 --class no-cpu --template '$WORK/template.xml' --dry-run -o xml | grep vcpus"
check "it is deleted" lpctl machine delete vm1
is "nothing is left of all that" "$(state_of_everything)" "$before"

say what is allowed
good "a small one" "<domain type='test'>$OS</domain>"
good "with a byte order mark" "\xef\xbb\xbf<domain type='test'>$OS</domain>"
good "in another encoding" "<?xml version='1.0' encoding='ISO-8859-1'?><domain type='test'>$OS</domain>"
good "metadata of others" "<domain type='test'><metadata><a:b xmlns:a='urn:a'>&lt;&amp;</a:b></metadata>$OS</domain>"
good "name, uuid, vcpu and memory, which are replaced" "<domain type='test'><name>x</name><uuid>y</uuid><vcpu>99</vcpu>
    <memory unit='GiB'>99</memory>$OS</domain>"
echo "<domain type='test'>$OS</domain>" >"$WORK/template.xml"
check "from standard input" lpctl machine create vm1 --class tiny --template - <"$WORK/template.xml"
piped() { cat "$WORK/template.xml" | lpctl machine create vm2 --class tiny --template - --dry-run; }
check "and from a pipe" piped
check "deleted" lpctl machine delete vm1
is "nothing is left of all that" "$(state_of_everything)" "$before"

say dry run
render() {
    lpctl machine create vm1 --class nic --uuid 8189bcce-0359-4a06-9d7a-efce049b294d --dry-run -o xml >"$WORK/rendered.xml"
}
value() { python3 -c 'import sys, xml.etree.ElementTree as E; print(E.parse(sys.argv[1]).findtext(sys.argv[2]))' \
    "$WORK/rendered.xml" "$1"; }
check "prints the domain" render
is "its name" "$(value name)" vm1
is "its memory in KiB" "$(value memory)" 65536
is "its CPUs" "$(value vcpu) at $(value cputune/global_quota)" "1 at 50000"
check "it is the same each time" sh -c "cp '$WORK/rendered.xml' '$WORK/first.xml'"
render
check "byte by byte" cmp "$WORK/rendered.xml" "$WORK/first.xml"
is "nothing has changed" "$(state_of_everything)" "$before"

finish_provider
