#include <string_view>

#include "base/error.h"
#include "fuzzed_file.h"
#include "io/table/table.h"

// As in fuzz_pytorch_file.cpp. HDF5 files are left to their library.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace astroclip;
  if (std::string_view(reinterpret_cast<const char*>(data), size).find("\x89HDF") != std::string_view::npos) return 0;
  const fuzz::FuzzedFile bytes(data, size);
  try {
    const auto table = io::Table::open(bytes.path());
    for (const std::string& name : table.columns()) {
      try {
        const io::Column column = table.read(name);
        for (int64_t row = 0; row < column.rows(); ++row) (void)column.text(row);
        (void)column.numbers();
      } catch (const Error&) {  // of one column alone
      }
    }
  } catch (const Error&) {
  }
  return 0;
}
