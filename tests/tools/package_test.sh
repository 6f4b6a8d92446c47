#!/bin/sh
# The installed program runs from where it lies, and takes a plugin that was built against the installed package.
# usage: package_test.sh BUILD SOURCE
set -eu
build=$1
source=$2
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT

cmake --install "$build" --prefix "$place/first" > /dev/null
mv "$place/first" "$place/moved"
cmake -S "$source/tests/package" -B "$place/plugin" -DCMAKE_PREFIX_PATH="$place/moved" > /dev/null
cmake --build "$place/plugin" > /dev/null
ASTROCLIP_PLUGIN_PATH="$place/plugin" "$place/moved/bin/astroclip" describe count_labels > "$place/found"
cat > "$place/expected" <<EXPECTED
task 'count_labels': Counts the test objects that have a label.
$place/plugin/count_labels.so

  parameter  type    default     range  meaning
  label      string  "redshift"         the label to look at
EXPECTED
diff "$place/expected" "$place/found"

# Every plugin of the build tree is found in the moved folder, too.
"$build/bin/astroclip" list > "$place/before"
"$place/moved/bin/astroclip" list > "$place/after"
diff "$place/before" "$place/after"
