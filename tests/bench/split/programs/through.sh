#!/bin/sh
# Works through files, one after the other, and finishes the one it has in hand when it is asked to
# end.
#     sh through.sh LEDGER SECONDS FILE...    SECONDS: what one file takes
set -eu
ledger=$1 pause=$2
shift 2
trap 'draining=1' TERM
for file; do
    [ -z "${draining:-}" ] || exit 0
    sleep "$pause"
    echo "$file" >> "$ledger"
    echo "$file" >> "$HEAPTUI_DONE"
done
# some work after the last of them
sleep 0.2
