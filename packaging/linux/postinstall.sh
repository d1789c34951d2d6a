#!/bin/sh
# Tells systemd. A first installation starts nothing, because a node of a cluster
# is configured before its first start. An update restarts a service that runs.
set -e
[ -d /run/systemd/system ] || exit 0
systemctl daemon-reload
case "$1" in
  configure) [ -z "$2" ] || restart=yes ;; # Debian: the version that was there
  [0-9]*) [ "$1" -lt 2 ] || restart=yes ;; # RPM: how many versions there are now
esac
# Not waited for: a node of a cluster may wait for others.
[ -z "$restart" ] || systemctl --no-block try-restart belfry.service
