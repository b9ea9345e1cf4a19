#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The manual has what --help has, and nothing else: options, commands, keys of the settings. Needs no provider.
set -u
. "$(dirname "$0")/lib.sh"
MAN=$HERE/../../docs/man
SETTINGS=$HERE/../../config/libvirt-provider.conf.in

# part PAGE TITLE: the text below TITLE, which is underlined with "=", as far as the next such title.
part() { awk -v title="$2" '/^=+$/ && last != "" {inside = last == title} inside {print} {last = $0}' "$MAN/$1"; }
# words PATTERN: all of stdin that matches, each once, without what marks it.
words() { grep -oE -- "$1" | tr -d '*' | sort -u; }
# The flags of a help text; the flags that are terms of a page's list; all that a page names.
flags_of_help() { sed -nE 's/^  (-., |    )?(--[a-z-]+).*/\2/p' | sort; }
flags_of_terms() { grep -E '^\**-' | words '--[a-z][a-z-]*[a-z]'; }
flags_of_page() { words '--[a-z][a-z-]*[a-z]' <"$MAN/$1"; }
not_in_help() { comm -13 <(echo "$help") -; }

say libvirt-provider
provider_help() {
    libvirt-provider --config="$WORK/none" --source-dir="$WORK/sources" --resource-manager-sources=cpu,hugepages,memory,pci --help
}
# KEY=DEFAULT of each option that can stand in the settings; those of a source without their common beginning.
settings() {
    provider_help | sed '/^Source /,/^$/s/--resource-manager-/--/' |
        sed -nE 's/^  --([a-z-]+).*\(default: (.*)\)$/\1=\2/p; t; s/^  --([a-z-]+).*/\1=/p' |
        grep -vE '^(config|check-config)='
}
help=$(provider_help | flags_of_help)
like "--help has options" "$help" "*--help*--resource-manager-pci-devices-file*--system-bus*"
is "the page has them all" "$(part libvirt-provider.8.rst OPTIONS | flags_of_terms)" "$help"
is "and names no others" "$(flags_of_page libvirt-provider.8.rst | not_in_help)" ""
keys=$(settings | sed 's/=.*//' | sort)
is "the page of the settings has their keys" "$(part libvirt-provider.conf.5.rst KEYS | words '[*][a-z-]+[*]')" "$keys"
is "the shipped settings have them, too" "$(sed -nE 's/^#?([a-z-]+)=.*/\1/p' "$SETTINGS" | sort)" "$keys"
is "with the defaults" "$(settings | grep -vE '=$|^source-dir=' | sed 's/^/#/' | grep -vxFf "$SETTINGS")" ""

say lpctl
help=$(lpctl --help | flags_of_help)
like "--help has options" "$help" "*--force*--help*--last*"
is "the page has them all" "$(part lpctl.1.rst OPTIONS | flags_of_terms)" "$help"
is "and names no others" "$(flags_of_page lpctl.1.rst | not_in_help)" ""
# Commands stand in the help with what they take, and in the page with their options, too.
commands=$(lpctl --help | sed -nE '/^Commands:/,/^$/s/^  ([a-z-]+( [a-z]+)?) .*/\1/p' | sort)
like "--help has commands" "$commands" "*machine create*monitor*status*"
page=$(part lpctl.1.rst COMMANDS | grep -E '^[*][*][a-z]')
is "the page has them all" "$(words '[*][*][a-z-]+( [a-z]+)?[*][*]' <<<"$page" | grep -v '^--')" "$commands"
SHARED='--(help|version|socket|output|no-headers|columns|color|dry-run|wait|host-root|source-dir)'
while read -r command; do
    # shellcheck disable=SC2086 # two words
    is "$command has its own options there" "$(grep -F "**$command**" <<<"$page" | words '--[a-z-]+[a-z]')" \
        "$(lpctl $command --help | flags_of_help | grep -vxE -- "$SHARED")"
done <<<"$commands"

finish_test
