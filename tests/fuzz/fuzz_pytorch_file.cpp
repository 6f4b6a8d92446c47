#include "base/error.h"
#include "fuzzed_file.h"
#include "io/weights/pytorch_file.h"

// Reads everything in the file. An Error is correct; a crash, a leak, a hang or running out of memory is a finding.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace astroclip;
  const fuzz::FuzzedFile bytes(data, size);
  try {
    const auto file = io::PytorchFile::open(bytes.path());
    int64_t budget = 1 << 22;  // elements: many tensors may repeat one storage
    for (const auto& entry : file.entries()) {
      budget -= entry.shape.numel();
      if (budget < 0) break;
      (void)file.read(entry.name, io::dtype_of_elements(entry.type), {DeviceKind::cpu});
      (void)file.read(entry.name, DType::f64, {DeviceKind::cpu});
    }
  } catch (const Error&) {
  }
  return 0;
}
