#include <limits>

#include "base/error.h"
#include "data/where.h"

// As in fuzz_pytorch_file.cpp.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace astroclip;
  try {
    const data::Where where(std::string(reinterpret_cast<const char*>(data), size));
    std::map<std::string, io::Column> labels;
    for (const std::string& name : where.names()) {
      io::Column column{.name = name, .values = std::vector<double>{0.5, std::numeric_limits<double>::quiet_NaN()}};
      if (name.starts_with('t')) column.values = std::vector<std::string>{"GALAXY", ""};
      if (name.starts_with('i')) column.values = std::vector<int64_t>{-7, int64_t{1} << 53};
      if (name.starts_with('u')) column.values = std::vector<uint64_t>{0, ~uint64_t{0}};
      labels.emplace(name, column);
    }
    (void)where.of(labels, 2);
  } catch (const Error&) {
  }
  return 0;
}
