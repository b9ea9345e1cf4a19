#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# What the completion of lpctl offers: what its help says, and no more.
set -u
. "$(dirname "$0")/lib.sh"

# As bash-completion has them, for words without a colon in them.
_init_completion() { cur=${words[cword]} prev=${words[cword - 1]} split=false; }
_filedir() { COMPREPLY=("$cur"files); }
__ltrim_colon_completions() { :; }
compopt() { :; }
# shellcheck source=config/completions/lpctl
. <(sed 's/local cur prev words cword split/local cur prev split/' "$HERE/../../config/completions/lpctl")

# offers NAME WANT WORD...: the last word is the one to complete.
offers() {
    local words=(lpctl "${@:3}") cword=$(($# - 2)) COMPREPLY=()
    _lpctl lpctl
    is "$1" "$(printf '%s\n' "${COMPREPLY[@]}" | sort | xargs)" "$2"
}

begin_provider
lpctl machine create vm1 --class tiny
lpctl machine create vm2 --class tiny
offers "commands" "class device machine monitor pci-devices reload source status" ""
offers "verbs" "create delete explain list show start stop" machine ""
offers "options of a noun" "--color= --columns= --help --no-headers --output= --socket= --version" source --
offers "options of a verb without output" "--help --socket= --version" machine explain --
offers "options of create" "--class= --color= --columns=" machine create vm3 --c
offers "formats of rows" "csv json name table yaml" machine list -o ""
offers "formats of status" "json table yaml" status --output ""
offers "formats of create" "csv json name table xml yaml" machine create vm3 -o ""
offers "classes" "fpga gpu nic tiny" machine create vm3 --class ""
offers "machines" "vm1 vm2" machine delete ""
offers "no name for a new machine" "" machine create ""
offers "files" files pci-devices check ""

finish_provider
