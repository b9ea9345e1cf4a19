# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Sourced by the scripts: goes to the top of the sources, installs packages, builds.

cd "$(dirname "${BASH_SOURCE[0]}")/../.."
. scripts/lib/packages.sh

step() { printf '\n==> %s\n' "$*"; }

die() {
    printf '%s: %s\n' "${0##*/}" "$*" >&2
    exit 1
}

is_installed_apt() { [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]; }
is_installed_dnf() { rpm -q --quiet --whatprovides "$1"; }

install_apt() {
    export DEBIAN_FRONTEND=noninteractive
    apt-get -q update
    apt-get -q install --yes --no-install-recommends "$@"
}
install_dnf() { dnf install --assumeyes --setopt=install_weak_deps=False "$@"; }

# install_packages GROUP...: installs what is missing of these groups of packages.sh.
install_packages() {
    local manager group package missing=()
    if command -v apt-get >/dev/null; then
        manager=apt
    elif command -v dnf >/dev/null; then
        manager=dnf
    else
        die "neither apt-get nor dnf is here: install by hand what scripts/lib/packages.sh lists"
    fi
    for group; do
        local -n packages=${manager}_$group
        for package in "${packages[@]}"; do
            is_installed_$manager "$package" || missing+=("$package")
        done
    done
    [ ${#missing[@]} -gt 0 ] || return 0
    step "Installing ${missing[*]}"
    [ "$(id -u)" = 0 ] || die "these packages are missing: run this as root, or install them first"
    install_$manager "${missing[@]}"
}

# build FOLDER [MESON-OPTION...]: configures the folder where it is new or the options are others, and builds.
build() {
    local folder=$1 options
    shift
    options=$(printf '%s\n' "$@")
    step "Building in $folder/"
    if [ ! -f "$folder/build.ninja" ]; then
        meson setup "$folder" "$@"
    elif [ -n "$options" ] && [ "$options" != "$(cat "$folder/.options" 2>/dev/null)" ]; then
        meson setup --reconfigure "$folder" "$@"
    fi
    [ -z "$options" ] || printf '%s\n' "$options" >"$folder/.options"
    ninja -C "$folder"
}
