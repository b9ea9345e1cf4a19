#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# What lpctl is given wrongly: each is refused with its exit status and one line on stderr, and changes nothing.
set -u
. "$(dirname "$0")/lib.sh"

UUID=8189bcce-0359-4a06-9d7a-efce049b294d

# wrong NAME STATUS PATTERN WORD...: lpctl refuses it.
wrong() { rejected "$1" "$2" "lpctl: $3" lpctl "${@:4}"; }

say without a daemon
wrong "no command" 2 "no command; see lpctl --help"
wrong "empty command" 2 "no command ''; see lpctl --help" ''
wrong "unknown command" 2 "no command 'nosuch'; *" nosuch
wrong "unknown command with --help" 2 "no command 'nosuch'; *" nosuch --help
wrong "unknown verb with --help" 2 "machine 'nosuch': no such verb; *" machine nosuch --help
wrong "word beside --version" 2 "--version stands alone" -V machine list
wrong "no verb" 2 "machine *: the verb is missing; there are: create, list, *" machine
wrong "unknown verb" 2 "machine 'nosuch': no such verb; there are: create, list, *" machine nosuch
wrong "too few arguments" 2 "NAME is missing; usage: lpctl machine create NAME --class=CLASS" machine create
wrong "too many arguments" 2 "unexpected argument 'extra'; usage: lpctl machine list" machine list extra
wrong "two names for one machine" 2 "unexpected argument 'b'; usage: lpctl machine create NAME --class=CLASS" \
    machine create a b --class tiny
wrong "unknown option" 2 "Unknown option --nosuch; *" machine list --nosuch
wrong "option of another verb" 2 "--all is no option of machine list" machine list --all
wrong "option without its value" 2 "Missing argument for --class; *" machine create a --class
wrong "value of an option that has none" 2 "--force takes no value*" machine stop a --force=no
wrong "option given twice" 2 "--class may be given only once" machine create a --class tiny --class=nic
wrong "option given twice, once by its letter" 2 "--output may be given only once" machine list -o json --output=csv
wrong "unknown format" 2 "'xls' is no format of this command: table, json, yaml, csv or name" machine list -o xls
for format in csv name xml ""; do
    wrong "status as '$format'" 2 "'$format' is no format of this command: table, json or yaml" status -o "$format"
done
wrong "columns of what has none" 2 "--columns is no option of status" status -c x
for command in reload "machine delete a" "machine start a" "machine stop a" "machine explain a" "device cordon a" \
    "device uncordon a" "device release a" "device explain a" "class explain a" "pci-devices check a" \
    "pci-devices generate"; do
    # shellcheck disable=SC2086 # words of a command
    {
        wrong "$command has no format" 2 "--output is no option of ${command% a}" $command -o json
        wrong "$command has no columns" 2 "--columns is no option of ${command% a}" $command -c name
    }
done
for format in json yaml name; do
    wrong "columns of $format" 2 "--columns is of the formats table and csv only" machine list -c name -o $format
done
wrong "socket of what needs no daemon" 2 "--socket is no option of pci-devices generate" \
    pci-devices generate --socket=x
for option in "-o json --output=json" "-o json -o yaml" "--columns=name -c state" "--color never --color=always" \
    "--socket $WORK/a --socket $WORK/a"; do
    # shellcheck disable=SC2086 # words of a command
    wrong "twice: $option" 2 "--* may be given only once" machine list $option
done
wrong "twice, the second at the end of short ones" 2 "--output may be given only once" device list -o json -ao csv
wrong "twice, beside --help" 2 "--output may be given only once" device list -o json -o csv --help
wrong "class twice" 2 "--class may be given only once" machine create a --class tiny --class tiny
wrong "what is a value is no option" 8 "*" machine create a --class --class --template=--class
wrong "unknown colour" 2 "--color must be auto, always or never, *" machine list --color=red
for time in 0 -1 soon 1.5 "" 86401 99999999999; do
    wrong "time '$time'" 2 "--wait must be a whole number of seconds from 1 to 86400, but is '$time'" \
        machine stop a "--wait=$time"
done
wrong "time 0 where there is none" 2 "--wait is no option of machine list" machine list --wait=0
wrong "argument that is no UTF-8" 2 "argument 1 is not UTF-8 text" machine show $'\xff'
wrong "no daemon" 8 "libvirt-provider does not answer on $WORK/control.sock: *No such file*is it running*" status
wrong "file in the place of the socket" 8 "*Connection refused*" --socket="$WORK/classes.yaml" status
wrong "socket with a long path" 8 "*" --socket="/tmp/$(printf 'a%.0s' {1..200})" status
like "--help names what must be given" "$(lpctl machine create --help)" "Usage: lpctl machine create NAME --class=CLASS *"
like "and all formats" "$(lpctl machine create --help)" "* --output=FORMAT *table, json, yaml, csv, name or xml*"
is "--help of a noun names options of its verbs only" "$(lpctl source --help | grep -oE -- '--[a-z-]+' | xargs)" \
    "--help --version --socket --output --no-headers --columns --color"
is "--help of all fits into its columns" "$(lpctl --help | grep -E '^  [a-z]' | grep -vE '^  .{34} [a-z]')" ""
check "--version" lpctl --version

begin_provider
before=$(state_of_everything)

say values
check "labels, several" lpctl machine create a --class tiny --label a=1 --label b=2 --no-start
check "an option as the value of another" lpctl machine create b --class tiny --annotation --class=--label=x --no-start
is "both have what was given" "$(machine a '.labels | keys | join(" ")') $(machine b '.annotations | keys | join(" ")')" \
    "a b --class"
check "both are deleted" lpctl machine delete a b
is "nothing has changed" "$(state_of_everything)" "$before"

say names
wrong "no class given" 2 "a: --class is missing" machine create a
wrong "unknown class" 10 "a: no machine class 'nosuch'; there are: tiny, nic, *" machine create a --class nosuch
for name in .. .a a/b "a b" 😀 "" "$(printf 'a%.0s' {1..65})"; do
    wrong "machine '$name'" 2 "*no name for a machine: 1 to 64 of *" machine create "$name" --class tiny
done
refused "machine with a line end" 2 "*no name for a machine*" lpctl machine create $'a\nb' --class tiny
check "autostart of what is to be started later" lpctl machine create a --class tiny --no-start --autostart
is "it is said" "$(machine a .autostart)" true
is "in a table, too" "$(lpctl machine list -c name,autostart --no-headers | xargs)" "a true"
check "it is deleted" lpctl machine delete a
for uuid in "" x ${UUID^^} $UUID-0; do
    wrong "uuid '$uuid'" 2 "a: '$uuid' is no uuid: use one in lower case*" machine create a --class tiny --uuid "$uuid"
done
NIL=00000000-0000-0000-0000-000000000000
for option in --no-start --dry-run; do
    wrong "nil uuid, $option" 2 "a: '$NIL' is no uuid of a machine: use one *" \
        machine create a --class tiny $option --uuid $NIL
done
for label in "" x =x; do
    wrong "label '$label'" 2 "a: --label must be KEY=VALUE, *" machine create a --class tiny --label "$label"
done
wrong "label twice" 2 "a: --label must be KEY=VALUE, each key once, *" machine create a --class tiny --label k=1 --label k=2
wrong "annotation without =" 2 "a: --annotation must be *" machine create a --class tiny --annotation x
wrong "domain of somebody else" 9 "test: libvirt has a domain test already*" machine create test --class tiny
wrong "the same as a dry run" 9 "test: libvirt has a domain test already*" machine create test --class tiny --dry-run
wrong "no capacity, as a dry run" 4 "a: no capacity for class fpga: *" machine create a --class fpga --dry-run
is "create, as a dry run" "$(lpctl machine create a --class nic --dry-run)" \
    "machine a of class nic would be created and started, with 0000:01:00.0"
for verb in show explain start stop delete; do
    wrong "$verb of no machine" 10 "*no machine 'nosuch'*" machine $verb nosuch
done
is "it is explained with all that it needs" "$(lpctl class explain fpga)" \
"0 more machines of class fpga fit: no source offers fpga.acme/x1. One needs:
- 1 of cpu: 8 of 8 free
- 1Mi of memory: 16Gi of 16Gi free
- 1 of fpga.acme/x1: no source offers it"
for verb in start stop delete; do
    wrong "$verb of no machine, as a dry run" 10 "nosuch: no machine 'nosuch'" machine $verb nosuch --dry-run
done
refused "each of several is told" 10 "*no machine 'no1'*lpctl: *no machine 'no2'*" lpctl machine delete no1 no2
for verb in show explain cordon uncordon release; do
    wrong "$verb of no device" 10 "*no device 'nosuch'*" device $verb nosuch
done
wrong "release of a device that is free" 2 "*is not quarantined: *" device release 0000:01:00.0 --force
wrong "show of no class" 10 "*no machine class 'nosuch'*" class show nosuch
wrong "explain of no class" 10 "*no * 'nosuch'*" class explain nosuch
wrong "class whose resource nobody offers" 4 "a: no capacity for class fpga: no source offers fpga.acme/x1" \
    machine create a --class fpga
is "nothing has changed" "$(state_of_everything)" "$before"

say output that would be wrong is refused before there is a machine
wrong "unknown column" 2 "*no column 'x'; there are: name, *" machine create a --class tiny -o csv -c x
wrong "xml of a machine" 2 "*xml*dry-run*" machine create a --class tiny -o xml
for format in table json yaml csv name; do
    wrong "dry run as $format" 2 "a: --dry-run says a sentence, or with -o xml prints the domain*" \
        machine create a --class tiny --dry-run -o $format
done
wrong "columns of a dry run" 2 "a: --dry-run says a sentence*" machine create a --class tiny --dry-run -c name
wrong "no column" 2 "no column ''; *" machine list -c ''
is "nothing has changed" "$(state_of_everything)" "$before"

say what is taken
check "a machine with everything" lpctl machine create vm1 --class nic --uuid $UUID --label a=1 --annotation b=2
check "the same again answers with it" lpctl machine create vm1 --class nic --uuid $UUID --label a=1 --annotation b=2
wrong "the uuid with other arguments" 9 "vm1: *uuid $UUID already*" machine create vm1 --class nic --uuid $UUID
wrong "the name again" 9 "vm1: a machine named vm1 exists already*" machine create vm1 --class tiny
is "one is there" "$(lpctl machine list -o name)" vm1
check "cordon" lpctl device cordon 0000:02:00.0
wrong "the last card is cordoned" 4 \
    "*needs 1 nic.intel/82574l, 0 of 2 free (0000:01:00.0 is held by vm1, 0000:02:00.0 * cordoned it)" \
    machine create vm2 --class nic
check "uncordon" lpctl device uncordon 0000:02:00.0
check "stop by uuid" lpctl machine stop $UUID --force
is "it keeps its card" "$(device 0000:01:00.0 '.state + " " + .machine')" "bound vm1"
is "start, as a dry run" "$(lpctl machine start vm1 --dry-run)" "machine vm1 would be started"
is "stop, as a dry run" "$(lpctl machine stop vm1 --dry-run)" "machine vm1 is off already: nothing would be done"
check "start" lpctl machine start vm1
is "start of what runs, as a dry run" "$(lpctl machine start vm1 --dry-run)" \
    "machine vm1 is running already: nothing would be done"
is "forced stop, as a dry run" "$(lpctl machine stop vm1 --force --dry-run)" "machine vm1 would be ended at once"
is "delete, as a dry run" "$(lpctl machine delete $UUID --dry-run)" \
    "machine vm1 would be ended and removed with its domain; given back would be 0000:01:00.0"
is "it still runs" "$(machine vm1 .state)" running
check "stop again" lpctl machine stop vm1 --force
is "it is still there" "$(machine vm1 .state)" stopped
check "delete" lpctl machine delete vm1
wrong "it is gone" 10 "vm1: no machine 'vm1'" machine delete vm1
check "a name like an option" lpctl machine create --class tiny --no-start -- -vm
check "can be deleted, too" lpctl machine delete -- -vm
is "nothing has changed" "$(state_of_everything)" "$before"

say standard files that are closed or full
full() { lpctl machine list >/dev/full; }
no_stdout() { lpctl machine list >&-; }
none() { lpctl machine list <&- >&- 2>&-; }
no_template() { lpctl machine create a --class tiny --template - <&-; }
refused "full disk" 1 "lpctl: cannot write the output: No space left*" full
help_to_full() { lpctl --help >/dev/full; }
refused "help on a full disk" 1 "lpctl: cannot write the output: No space left*" help_to_full
for format in table json yaml csv name; do
    is "a pipe that nobody reads, $format" "$(to_nobody lpctl device list --all -o $format)" "exit 141: "
done
is "a pipe that nobody reads, of help" "$(to_nobody lpctl --help)" "exit 141: "
refused "closed standard output" 1 "lpctl: cannot write the output: Bad file*" no_stdout
refused "all closed" 1 "" none
refused "template from closed input" 2 "*Bad file descriptor" no_template
is "the daemon got nothing of it" "$(grep -c warning "$PROVIDER_LOG")" 1
is "nothing has changed" "$(state_of_everything)" "$before"

finish_provider
