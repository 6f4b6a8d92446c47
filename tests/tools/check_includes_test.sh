#!/bin/sh
# Each kind of offence is reported, and nothing else. usage: check_includes_test.sh PATH/check_includes
set -eu
check=$1
tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT
mkdir -p "$tree"/core/base "$tree"/core/tensor "$tree"/core/io "$tree"/core/nn "$tree"/core/train \
  "$tree"/core/backend/cpu "$tree"/core/cellar "$tree"/plugins/encoders/vit
cd "$tree"
printf 'train core\n\nplugin core\n\nnn plugins\n\nbackend plugins\nio plugins\n\ntensor plugins\n\nbase plugins\n' > core/floors.txt

# Valid.
printf '#include <fmt/format.h>\n#include <vector>\n#include "base/error.h"\n' > core/tensor/tensor.cpp
printf '#include "backend/backend.h"\n' > core/io/reader.h
printf '#include <oneapi/dnnl/dnnl.hpp>\n' > core/backend/cpu/products.h
printf '#include <fmt/format.h>\nconst Device device = Device::host();\n' > core/nn/layers_internal.h
printf 'enum class DeviceKind { cpu, cuda };\n' > core/tensor/memory.h
printf '#include "plugin/record.h"\n#include "blocks.h"\n' > plugins/encoders/vit/vit.cpp
printf '#include "nn/module.h"\n' > plugins/encoders/vit/blocks.h
rmdir core/cellar
# Names that Release unites: overloads, equal aliases, names of inner namespaces, of other folders and of sources that
# stand alone.
mkdir -p cmake core/backend/cuda tests/train tests/fuzz
printf '  set(rows softmax layer_norm)\n  set(columns add_rows)\n' > cmake/unite_cuda.cmake
printf 'list(FILTER united_kernels EXCLUDE REGEX "/backend/cpu/")\n' > core/CMakeLists.txt
: > tests/fuzz/CMakeLists.txt
alone() { printf 'namespace astroclip::%s {\nnamespace {\n%s\n}  // namespace\n%s\n}  // namespace astroclip\n' "$1" "$2" "${3-}"; }
alone nn 'using Row = std::vector<int>;
int sum(const Row& row, int begin) {
  int folded = 0;
}
constexpr std::array<int, 2> first = {1, 2}, second = {first, 4};' > core/nn/one.cpp
alone nn 'using Row = std::vector<int>;
int sum(const Row& row) {
  int folded = 0;
}' > core/nn/two.cpp
alone nn::inner 'constexpr int first = 1;' > core/nn/three.cpp
alone train 'constexpr int first = 1;' > core/train/step.cpp
for kernel in softmax add_rows; do alone backend 'int of_row(int row) { return row; }' > core/backend/cuda/$kernel.cu; done
for file in core/backend/cpu/one core/backend/cpu/two tests/fuzz/one tests/fuzz/two; do
  alone backend 'class Reader {' > $file.cpp
done
"$check" "$tree" > found || { echo "a valid tree was rejected:"; cat found; exit 1; }

# Offences.
mkdir core/cellar
printf '#include "tensor/tensor.h"\n' > core/base/error.h
printf '#include "error.h"\n' > core/base/log.cpp
printf '#include "../nn/module.h"\n' > core/train/trainer.cpp
printf '#pragma once\n#include <fmt/core.h>\n#  include <hdf5.h>\n' > core/train/trainer.h
printf '\n' > core/cellar/wine.cpp
printf 'const Device device{DeviceKind::cuda};\nconst std::string name = "cpu";\n' > core/nn/layers.cpp
printf '#include "vit/blocks.h"\n#include "train/trainer.h"\n#include "plugin/host.h"\n#include "backend/cpu/products.h"\n' \
  > plugins/encoders/specformer.cpp
alone nn 'class Row {
};
template <class T>
int sum(const std::vector<T, int>& values,
        int end = 0) {
}' 'static int counted() { return 0; }
const char* shown = R"(
constexpr int first = 1;
)";' > core/nn/four.cpp
alone nn 'template <class T>
int sum(const std::vector<T, int>& other, int) {
}
constexpr int third = 1, second = 2;
int counted(  // how many
);' > core/nn/five.cpp
alone backend 'int of_row(int column) { return column; }' > core/backend/cuda/layer_norm.cu
for file in step train; do printf 'TEST(Step, Works) {\n}\n' > tests/train/${file}_test.cpp; done
if "$check" "$tree" > found; then echo "offences did not set the exit status"; exit 1; fi
cat > expected <<'EXPECTED'
core/base/error.h:1: base/ includes "tensor/tensor.h", which is on a higher floor
core/base/log.cpp:1: "error.h" must be included relative to core/
core/cellar/wine.cpp:1: room "cellar" is not listed in core/floors.txt
core/nn/layers.cpp:1: only tensor/ and backend/ may name a device
core/nn/layers.cpp:2: only tensor/ and backend/ may name a device
core/train/trainer.cpp:1: "../nn/module.h" must be included relative to core/
core/train/trainer.h:2: header includes the third-party <fmt/core.h>
core/train/trainer.h:3: header includes the third-party <hdf5.h>
plugins/encoders/specformer.cpp:1: "vit/blocks.h" is not a header of core/ or of this plugin
plugins/encoders/specformer.cpp:2: plugin includes "train/trainer.h", which is not public
plugins/encoders/specformer.cpp:3: plugin includes "plugin/host.h", which is not public
plugins/encoders/specformer.cpp:4: plugin includes the internal header "backend/cpu/products.h"
core/backend/cuda/softmax.cu:3: "of_row" is a name in core/backend/cuda/layer_norm.cu, too, which Release unites with it
core/nn/four.cpp:5: "sum" is a name in core/nn/five.cpp, too, which Release unites with it
core/nn/four.cpp:10: "counted" is a name in core/nn/five.cpp, too, which Release unites with it
core/nn/one.cpp:3: "Row" is a name in core/nn/four.cpp, too, which Release unites with it
core/nn/one.cpp:7: "second" is a name in core/nn/five.cpp, too, which Release unites with it
core/nn/two.cpp:3: "Row" is a name in core/nn/four.cpp, too, which Release unites with it
tests/train/train_test.cpp:1: "TEST" is a name in tests/train/step_test.cpp, too, which Release unites with it
EXPECTED
diff expected found
