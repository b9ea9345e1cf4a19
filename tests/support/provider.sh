# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2119,SC2120 # callers in other files give the arguments
# Sourced by tests in shell, after tap.sh: a provider that runs as PROVIDER_PID and writes to PROVIDER_LOG, as
# lpctl shows it.

PROVIDER_PID=

provider_is_there() { kill -0 "$PROVIDER_PID" 2>/dev/null; }
provider_answers_or_ended() { lpctl status || ! provider_is_there; }

# provider_stop [SIGNAL]: ends the provider and waits until it is gone; returns its exit status.
provider_stop() {
    kill -s "${1:-TERM}" "$PROVIDER_PID"
    wait "$PROVIDER_PID" 2>/dev/null
}

# device ADDRESS FIELD, machine NAME FIELD, class NAME FIELD: one field of the JSON (a jq path).
device() { lpctl device list --all -o json | jq -r --arg id "$1" ".devices[] | select(.id == \$id) | $2"; }
machine() { lpctl machine list -o json | jq -r --arg name "$1" ".machines[] | select(.name == \$name) | $2"; }
class() { lpctl class list -o json | jq -r --arg name "$1" ".classes[] | select(.name == \$name) | $2"; }

device_is_free() { [ "$(device "$1" '[.state] + .conditions | join(" ")')" = free ]; }
machine_is() { [ "$(machine "$1" .state)" = "$2" ]; }

show_provider_log() { tail -n 60 "$PROVIDER_LOG" | sed 's/^/# provider: /'; }

# Ends the script; the provider's log goes along where something failed.
finish() {
    [ -z "$PROVIDER_PID" ] || provider_stop
    [ $tap_failed = 0 ] || [ -z "$PROVIDER_PID" ] || show_provider_log
    tap_end
}
