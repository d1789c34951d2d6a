#!/bin/sh
# The user and /var/lib/belfry stay: there are apps, their secrets, and webhooks
# that were not delivered.
set -e
[ -d /run/systemd/system ] || exit 0
systemctl daemon-reload
