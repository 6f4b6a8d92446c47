#include "base/error.h"
#include "fuzzed_file.h"
#include "io/weights/safetensors.h"

// As in fuzz_pytorch_file.cpp.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace astroclip;
  const fuzz::FuzzedFile bytes(data, size);
  try {
    const auto file = io::SafetensorsFile::open(bytes.path());
    for (const auto& entry : file.entries()) {
      (void)file.read(entry.name, io::dtype_of_elements(entry.type), {DeviceKind::cpu});
      (void)file.read(entry.name, DType::f64, {DeviceKind::cpu});
    }
  } catch (const Error&) {
  }
  return 0;
}
