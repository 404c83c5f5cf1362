#!/bin/sh
# Shuts down the container that MAINPID, its script, runs, and waits until it is off. Called by systemd.
# (Numbers, and spaces between them.)
# shellcheck disable=SC2013
for child in $(cat /proc/"$MAINPID"/task/"$MAINPID"/children); do
    [ "$(cat /proc/"$child"/comm)" != systemd-nspawn ] || kill "$child"
done
while kill -0 "$MAINPID" 2>/dev/null; do sleep 0.2; done
exit 0
