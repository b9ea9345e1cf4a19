#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# install-config.sh FOLDER FILE...: puts these files where none of that name is yet, so that an installation over an
# older one changes no setting.
set -eu
folder=${DESTDIR:-}$1
shift
mkdir -p "$folder/conf.d"
for file; do
    name=${file##*/}
    if [ -e "$folder/$name" ]; then
        echo "Keeping $folder/$name"
    else
        echo "Installing $file to $folder"
        install -m 0644 "$file" "$folder/$name"
    fi
done
