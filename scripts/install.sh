#!/usr/bin/env bash
# Installs bin/latticed, its units, users and directories.
#
#   PREFIX   where to, /usr/local by default (/usr for packages)
#   BINARY   what to install, bin/latticed by default
#   DESTDIR  a root to stage into; then nothing is created or reloaded on this machine
set -euo pipefail
cd "$(dirname "$0")/.."
prefix=${PREFIX:-/usr/local}
dest=${DESTDIR:-}
binary=${BINARY:-bin/latticed}
units=examples/systemd

put() { # put FILE TARGET MODE; the paths of units follow PREFIX
  local target=$dest$prefix/$2
  mkdir -p "$(dirname "$target")"
  # A new file and a rename: a running daemon keeps the old one until it restarts.
  sed "s,/usr/local/bin/,$prefix/bin/,g" "$1" >"$target.new"
  chmod "$3" "$target.new"
  mv -f "$target.new" "$target"
}

if [ ! -x "$binary" ]; then
  echo "there is no $binary: run make build first" >&2
  exit 1
fi
mkdir -p "$dest$prefix/bin"
cp "$binary" "$dest$prefix/bin/.latticed.new"
chmod 0755 "$dest$prefix/bin/.latticed.new"
mv -f "$dest$prefix/bin/.latticed.new" "$dest$prefix/bin/latticed"
for unit in latticed.service latticed-runner@.service latticed-runner@.socket; do
  put "$units/$unit" "lib/systemd/system/$unit" 0644
done
put $units/sysusers.conf lib/sysusers.d/latticed.conf 0644
put $units/tmpfiles.conf lib/tmpfiles.d/latticed.conf 0644

if [ -n "$dest" ]; then exit 0; fi
if [ "$(id -u)" != 0 ] || [ ! -d /run/systemd/system ]; then
  echo "installed under $prefix. Users and directories: systemd-sysusers and systemd-tmpfiles --create latticed.conf, as root"
  exit 0
fi
systemd-sysusers latticed.conf
systemd-tmpfiles --create latticed.conf
systemctl daemon-reload
if systemctl --quiet is-active latticed.service; then
  echo "installed. Take the new version into use: systemctl restart latticed"
else
  echo "installed. Start it, now and at boot:  systemctl enable --now latticed
Let a person use it (and run programs as the user latticed-run):  usermod -aG latticed NAME"
fi
