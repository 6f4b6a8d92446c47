#!/bin/sh
# The archive that cpack writes needs only the C library: it is unpacked into a separate root folder with that library
# alone, and runs an experiment there. Where users may not create such roots, the test checks which libraries the loader
# finds.
# usage: archive_test.sh BUILD
set -eu
build=$1
place=$build/tests/archive
rm -rf "$place"
mkdir -p "$place/root"
trap 'rm -rf "$place"' EXIT
trap 'exit 1' INT TERM
cd "$place"

cpack --config "$build/CPackConfig.cmake" -B packed > packing 2>&1 || { cat packing; exit 1; }
tar -xzf packed/astroclip-*.tar.gz -C root
cd root
mv astroclip-* astroclip
for wanted in share/astroclip/templates/encoder share/astroclip/experiments/quickstart.toml \
  share/doc/astroclip/writing-plugins.md share/doc/astroclip/LICENSE lib/cmake/astroclip include/astroclip/plugin \
  share/man/man1/astroclip.1 share/bash-completion/completions/astroclip share/zsh/site-functions/_astroclip \
  share/fish/vendor_completions.d/astroclip.fish; do
  [ -e "astroclip/$wanted" ] || { echo "the archive has no $wanted"; exit 1; }
done

# The program loads only the parts of the C library from the system.
ldd astroclip/bin/astroclip > ../loaded
if sed -n 's/.*=> \([^ ]*\).*/\1/p' ../loaded | grep -v "^$PWD/astroclip/" |
  grep -Ev '/(lib(c|m|dl|rt|pthread|resolv)\.so\.[0-9]+|ld-linux[^/]*)$'; then
  echo "is not in the archive"
  exit 1
fi
if grep "not found" ../loaded; then exit 1; fi

unshare --user --map-root-user --mount true 2> /dev/null || { echo "no roots of one's own here"; exit 0; }
mkdir proc tmp
for library in $(ldd /bin/sh astroclip/bin/astroclip | grep -Eo '/[^ ]*/(lib(c|m|dl|rt|pthread|resolv)\.so\.[0-9]+|ld-linux[^/ ]*)' |
  grep -v "^$PWD/" | sort -u); do
  mkdir -p ".$(dirname "$library")"
  cp -L "$library" ".$library"
done
unshare --user --map-root-user --mount sh -c 'mount --rbind /proc proc && exec chroot . /astroclip/bin/astroclip "$@"' sh \
  run /astroclip/share/astroclip/experiments/smoke.toml --output /run --set dataset.galaxies=60 \
  --set stages.spectrum-pretraining.steps=2 --set stages.alignment.steps=2 > ../log 2>&1 || { cat ../log; exit 1; }
grep -q aligned run/report.txt
