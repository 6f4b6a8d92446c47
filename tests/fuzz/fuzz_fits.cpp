#include "base/error.h"
#include "fuzzed_file.h"
#include "io/fits.h"

// Reads every HDU: headers, images, and columns in each way that they can be read. As in fuzz_pytorch_file.cpp.
namespace {

using namespace astroclip;

/// An Error of one column must not keep the others from being read.
template <class Read>
void attempt(const Read& read) {
  try {
    read();
  } catch (const Error&) {
  }
}

void read_hdu(const io::FitsFile& file, const io::FitsHdu& hdu) {
  attempt([&] { (void)file.header(hdu.name); });
  if (!hdu.is_table) return attempt([&] { (void)file.image(hdu.name); });
  for (const std::string& column : hdu.columns) {
    attempt([&] { (void)file.column(hdu.name, column); });
    attempt([&] { (void)file.vectors(hdu.name, column); });
    attempt([&] { (void)file.id_column(hdu.name, column); });
    attempt([&] { (void)file.text_column(hdu.name, column); });
    attempt([&] { (void)file.column_unit(hdu.name, column); });
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const fuzz::FuzzedFile bytes(data, size);
  attempt([&] {
    const auto file = io::FitsFile::open(bytes.path());
    for (const io::FitsHdu& hdu : file.hdus()) read_hdu(file, hdu);
  });
  return 0;
}
