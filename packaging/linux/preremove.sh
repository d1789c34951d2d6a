#!/bin/sh
# Ends the service when the package is removed, not when it is updated.
set -e
[ -d /run/systemd/system ] || exit 0
case "$1" in
  remove | 0) systemctl disable --now belfry.service ;;
esac
