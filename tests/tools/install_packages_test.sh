#!/bin/sh
# Missing packages are installed, or listed; nothing is done if none is missing. The package tools are replaced by stubs.
# usage: install_packages_test.sh PATH/install_packages.sh
set -eu
script=$1
fake=$(mktemp -d)
trap 'rm -rf "$fake"' EXIT
shell=$(command -v sh)

stand_in() {
  printf '#!%s\n%s\n' "$shell" "$2" > "$fake/$1"
  chmod +x "$fake/$1"
}
expect() {
  status=0
  PATH=$fake "$shell" "$script" > "$fake/found" 2>&1 || status=$?
  [ "$status" = "$1" ] && printf '%s\n' "$2" | diff - "$fake/found" && return
  echo "expected status $1, found $status" && exit 1
}
ln -s "$(command -v env)" "$(command -v diff)" "$fake"

all=$(sed -n '/^packages="/,/"$/p' "$script" | sed 's/^packages=//' | tr -d '"' | tr -s ' ' '\n' | sed 's/^/  /')
needed="these Debian packages, or their equivalents, are needed:"
skip="(once all packages are installed, set ASTROCLIP_SKIP_PACKAGES=1)"
expect 1 "install_packages: there is no apt-get $skip; $needed
$all"

stand_in apt-get 'echo "apt-get $*"'
stand_in id 'echo 0'
stand_in dpkg-query 'case "$4" in libfmt-dev|cmake) echo not-installed;; *) echo installed;; esac'
expect 0 "installing: cmake libfmt-dev
apt-get update -qq
apt-get install -y -qq --no-install-recommends cmake libfmt-dev
apt-get install -y -qq --no-install-recommends gnuplot-nox"

stand_in id 'echo 1000'
expect 1 "install_packages: not root, and sudo is not installed; $needed
  cmake
  libfmt-dev"

stand_in sudo '"$@"'
expect 0 "installing: cmake libfmt-dev
apt-get update -qq
apt-get install -y -qq --no-install-recommends cmake libfmt-dev
apt-get install -y -qq --no-install-recommends gnuplot-nox"

stand_in apt-get 'exit 100'
expect 1 "installing: cmake libfmt-dev
install_packages: apt-get update failed; trying with the existing lists
install_packages: apt-get could not install them; $needed
  cmake
  libfmt-dev"

stand_in dpkg-query 'echo installed'
stand_in apt-get 'exit 100'
: > "$fake/nothing"
PATH=$fake "$shell" "$script" > "$fake/found" 2>&1
diff "$fake/nothing" "$fake/found"
