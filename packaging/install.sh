#!/bin/sh
# Installs the program belfry, of a release, for Linux and macOS.
#
#   sh install.sh [--version v1.2.3] [--to DIRECTORY] [--from URL]
#
# Without --to it goes to /usr/local/bin if that can be written, and else to
# ~/.local/bin, for which nobody has to be root. What is downloaded is compared
# with its checksum before it is installed. --from names another place that has
# the releases.
set -eu

fail() {
  echo "install.sh: $*" >&2
  exit 1
}

have() { command -v "$1" >/dev/null 2>&1; }

# fetch URL FILE
fetch() {
  if have curl; then
    curl --fail --silent --show-error --location --retry 3 --output "$2" "$1"
  elif have wget; then
    wget --quiet --tries=3 --output-document="$2" "$1"
  else
    fail "neither curl nor wget is here; install one, or download $1 yourself"
  fi || fail "$1 can not be downloaded"
}

# checksum FILE
checksum() {
  if have sha256sum; then
    sha256sum "$1"
  elif have shasum; then
    shasum -a 256 "$1"
  else
    fail "neither sha256sum nor shasum is here, so what is downloaded can not be checked; nothing was installed"
  fi | cut -d ' ' -f 1
}

# platform prints what the archive for this machine is called after.
platform() {
  case $(uname -s) in
    Linux) os=linux ;;
    Darwin) os=darwin ;;
    *) fail "there is no archive for $(uname -s) that this script could install; see the page of releases" ;;
  esac
  case $(uname -m) in
    x86_64 | amd64) arch=amd64 ;;
    aarch64 | arm64) arch=arm64 ;;
    *) fail "there is no archive for processors of the kind $(uname -m)" ;;
  esac
  echo "${os}_$arch"
}

# target prints where the program goes if nobody said so.
target() {
  if [ -w /usr/local/bin ]; then
    echo /usr/local/bin
  else
    [ -n "${HOME:-}" ] || fail "HOME is not set; say where with --to"
    echo "$HOME/.local/bin"
  fi
}

main() {
  version= to= releases=https://github.com/belfryhq/belfry/releases
  while [ $# -gt 0 ]; do
    case $1 in
      --version | --to | --from) [ $# -gt 1 ] || fail "$1 needs a value" ;;
      *) fail "$1 is not known; there are --version, --to and --from" ;;
    esac
    case $1 in
      --version) version=$2 ;;
      --to) to=$2 ;;
      --from) releases=$2 ;;
    esac
    shift 2
  done
  if [ -n "$version" ]; then
    from=$releases/download/$version
  else
    from=$releases/latest/download
  fi
  platform=$(platform)
  [ -n "$to" ] || to=$(target)

  work=$(mktemp -d)
  trap 'rm -rf "$work"' EXIT
  fetch "$from/checksums.txt" "$work/checksums.txt"
  line=$(grep "_$platform\.tar\.gz\$" "$work/checksums.txt") || fail "$from has no archive for $platform"
  want=${line%% *} archive=${line##* }
  case $archive in
    belfry_*_"$platform".tar.gz) ;;
    *) fail "$from/checksums.txt is not a list of checksums" ;;
  esac
  case ${archive#belfry_} in
    */* | belfry_*) fail "$from/checksums.txt names a file that is not one of a release" ;;
  esac
  fetch "$from/$archive" "$work/archive.tar.gz"
  got=$(checksum "$work/archive.tar.gz")
  [ "$got" = "$want" ] || fail "$from/$archive has the checksum $got, and not $want as it should; nothing was installed"

  tar -xzf "$work/archive.tar.gz" -C "$work" "${archive%.tar.gz}/belfry"
  mkdir -p "$to"
  # In one step: a program that runs keeps its file, and nobody starts half of one.
  cp "$work/${archive%.tar.gz}/belfry" "$to/.belfry.new"
  chmod 755 "$to/.belfry.new"
  mv "$to/.belfry.new" "$to/belfry"
  echo "installed $to/belfry: $("$to/belfry" version)"
  case :$PATH: in
    *:"$to":*) ;;
    *) echo "$to is not in your PATH; add it, or write $to/belfry" ;;
  esac
}

# All of it is read before any of it runs.
main "$@"
