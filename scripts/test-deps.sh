#!/usr/bin/env bash
# Sees to it that the programs which tests talk to are there; quick when they are.
set -euo pipefail

# command:Debian package
needs=(
  python3:python3
  setfacl:acl
  curl:curl
  jq:jq
  sqlite3:sqlite3 # the pages of docs/ write with it what triggers read, and sign with openssl
  openssl:openssl
  gcc:gcc # the race detector needs it
  systemd-analyze:systemd
  systemd-nspawn:systemd-container # tests of the units boot a systemd of their own
  dbus-daemon:dbus
  nsenter:util-linux
  pgrep:procps
  sshd:openssh-server # tests of network file systems have a server of their own
  ssh:openssh-client
  sshfs:sshfs
  ip:iproute2
  /usr/lib/postgresql/15/bin/postgres:postgresql-15 # databases that triggers watch
  mariadbd:mariadb-server
  pgbouncer:pgbouncer # may stand between
)

missing=()
for need in "${needs[@]}"; do
  command -v "${need%%:*}" >/dev/null 2>&1 || [ -x "/usr/sbin/${need%%:*}" ] || missing+=("${need#*:}")
done
if [ ${#missing[@]} = 0 ]; then exit 0; fi

if ! command -v apt-get >/dev/null; then
  echo "the tests need these programs, by the names of their Debian packages: ${missing[*]}" >&2
  exit 1
fi
as_root=()
if [ "$(id -u)" != 0 ]; then
  if ! sudo -n true 2>/dev/null; then
    echo "the tests need more packages. Install them once: sudo apt-get install ${missing[*]}" >&2
    exit 1
  fi
  as_root=(sudo -n)
fi

echo "installing ${missing[*]} …" >&2
export DEBIAN_FRONTEND=noninteractive
# Tests start servers of their own; a service that starts by itself would only be in the
# way. Where the machine has a policy already it is left as it is.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
  printf '#!/bin/sh\nexit 101\n' | "${as_root[@]}" tee "$policy" >/dev/null
  "${as_root[@]}" chmod 755 "$policy"
  trap '"${as_root[@]}" rm -f "$policy"' EXIT
fi
install=("${as_root[@]}" apt-get -o DPkg::Lock::Timeout=600 -qq install -y --no-install-recommends "${missing[@]}")
# A package list that is too old names files that are gone.
"${install[@]}" >/dev/null 2>&1 || {
  "${as_root[@]}" apt-get -o DPkg::Lock::Timeout=600 -qq update
  "${install[@]}" >/dev/null
}
