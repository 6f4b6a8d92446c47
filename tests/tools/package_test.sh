#!/bin/sh
# An installation works after it is moved. A plugin of each kind that its `new-plugin` writes builds against it, passes its
# own tests, is described, trains and is evaluated.
# usage: package_test.sh BUILD
set -eu
build=$1
place=$build/tests/package
rm -rf "$place"
mkdir -p "$place/moved"
trap 'rm -rf "$place"' EXIT
trap 'exit 1' INT TERM

fail() {
  echo "$1"
  exit 1
}

cmake --install "$build" --prefix "$place/first" > /dev/null
mv "$place/first" "$place/moved/astroclip"
PATH=$place/moved/astroclip/bin:$PATH
cd "$place"

# The moved folder has every plugin of the build tree.
"$build/bin/astroclip" list > before
astroclip list > after
diff before after

# Compiler caches speed this up. The code must also compile with stricter warnings than a user's.
export CMAKE_CXX_COMPILER_LAUNCHER="$(command -v ccache || true)"
export CXXFLAGS="-O1 -Wall -Wextra -Wshadow -Wnon-virtual-dtor -Werror"
[ -n "$CMAKE_CXX_COMPILER_LAUNCHER" ] || unset CMAKE_CXX_COMPILER_LAUNCHER

for kind in encoder loss dataset task; do
  name=outside_$kind
  astroclip new-plugin "$kind" "$name" > written
  grep -q "^$name/${name}_test.cpp$" written || fail "new-plugin does not name what it wrote: $(cat written)"
  cmake -S "$name" -B "$name/build" > configured || fail "$(cat configured)"
  cmake --build "$name/build" -j 2 > built 2>&1 || fail "$(cat built)"
  ctest --test-dir "$name/build" --no-tests=error --output-on-failure > tested || fail "$(cat tested)"
  astroclip --plugins "$name/build" describe "$name" > described
  grep -q "^$kind '$name': " described || fail "not described: $(cat described)"
  case $kind in
    dataset) size=objects ;;
    *) size=galaxies ;;
  esac
  set -- "$name/experiment.toml" --set dataset.$size=60 --set stages.alignment.steps=4 --set stages.alignment.batch=16 \
    --set experiment.threads=2
  [ $kind = dataset ] || set -- "$@" --set "dataset.cache='$place'"
  astroclip --plugins "$name/build" check "$@" > checked || fail "the experiment is refused: $(cat checked)"
  astroclip --plugins "$name/build" run "$@" --output "$name/run" > log 2>&1 || fail "$(cat log)"
  grep -q aligned "$name/run/report.txt" || fail "nothing was measured: $(cat "$name/run/report.txt")"
done
# The results name the loss and the task.
grep -q outside_loss outside_loss/run/metrics.jsonl || fail "the loss's term is not in the metrics"
grep -q uniformity outside_task/run/report.txt || fail "the task's table is not in the report"

# Without --plugins the plugin is not found.
if astroclip check outside_encoder/experiment.toml 2> refused; then fail "a plugin was found that was not named"; fi
grep -q "there is no encoder 'outside_encoder'" refused || fail "$(cat refused)"

# Once installed it is found without --plugins.
cmake --install outside_encoder/build --prefix "$place/moved/astroclip" > /dev/null
astroclip check outside_encoder/experiment.toml > /dev/null
