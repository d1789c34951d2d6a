#!/bin/sh
# Makes the user that the service runs as, before files are given to it.
set -e
getent group belfry >/dev/null || groupadd --system belfry
getent passwd belfry >/dev/null ||
  useradd --system --gid belfry --home-dir /var/lib/belfry --no-create-home --shell /usr/sbin/nologin --comment "Belfry" belfry
