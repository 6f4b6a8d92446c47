#!/bin/sh
# Installs the packages that building and testing need, with apt-get, through sudo when not root. If it cannot, it prints
# the missing packages and exits with status 1. With them it installs gnuplot, which draws the figures of reports; without
# it everything works.
set -eu

packages="g++ make cmake ninja-build pkg-config libdnnl-dev libhwy-dev ocl-icd-opencl-dev libhdf5-dev libcfitsio-dev libdeflate-dev
liblzf-dev wcslib-dev libeigen3-dev libxxhash-dev libnanoflann-dev libpugixml-dev libjpeg-dev libpng-dev libfmt-dev libtomlplusplus-dev nlohmann-json3-dev libboost-dev libboost-filesystem-dev libboost-program-options-dev libgtest-dev libgmock-dev"

is_installed() {
  [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

give_up() {
  echo "install_packages: $1; these Debian packages, or their equivalents, are needed:" >&2
  printf '  %s\n' $2 >&2
  exit 1
}

[ -z "${ASTROCLIP_SKIP_PACKAGES:-}" ] || exit 0
if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
  give_up "there is no apt-get (once all packages are installed, set ASTROCLIP_SKIP_PACKAGES=1)" "$packages"
fi

missing=""
for package in $packages; do
  is_installed "$package" || missing="$missing $package"
done
[ -n "$missing" ] || exit 0

as_root=""
if [ "$(id -u)" -ne 0 ]; then
  command -v sudo >/dev/null || give_up "not root, and sudo is not installed" "$missing"
  as_root="sudo"
fi
echo "installing:$missing"
# A stale package list names versions that no longer exist, so it is updated first.
$as_root apt-get update -qq || echo "install_packages: apt-get update failed; trying with the existing lists" >&2
$as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing ||
  give_up "apt-get could not install them" "$missing"
command -v gnuplot >/dev/null || $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends gnuplot-nox ||
  echo "install_packages: gnuplot-nox could not be installed; reports will have no figures" >&2
