#include <gmock/gmock.h>

#include <numeric>

#include "base/error.h"
#include "io/hdf5/hdf5.h"
#include "io/output/durable_file.h"
#include "support/scratch.h"

namespace astroclip::io {
namespace {

using testing::HasSubstr;
using testing::ThrowsMessage;
using testing_support::scratch;

TEST(Hdf5Output, IsReadByTheLibraryItself) {
  const std::string path = scratch("written.h5");
  std::vector<double> numbers(300);
  std::iota(numbers.begin(), numbers.end(), 0.5);
  {
    DurableFile durable(path);
    auto file = Hdf5File::create(durable.file());
    file.write_attribute("note", "of the file");
    file.make_dataset("a/numbers", DType::f64, {100, 3});
    file.make_dataset("a/compressed", DType::f64, {100, 3}, 16);
    for (const char* name : {"a/numbers", "a/compressed"}) {
      file.write_rows(name, 40, 60, DType::f64, numbers.data() + 120);
      file.write_rows(name, 0, 40, DType::f64, numbers.data());
    }
    file.close();
    durable.commit();
  }
  const auto file = Hdf5File::open(path);
  EXPECT_EQ(file.attribute("note"), "of the file");
  std::vector<int64_t> rows(100);
  std::iota(rows.begin(), rows.end(), 0);
  for (const char* name : {"a/numbers", "a/compressed"}) {
    std::vector<double> found(300);
    file.read_rows(name, rows, DType::f64, found.data());
    EXPECT_EQ(found, numbers) << name;
  }
}

/// HDF5 alone crashes here: it keeps what it could not write and tries again when the program ends.
TEST(Hdf5Output, AFullDiskIsAnErrorAndNoMore) {
  OutputFile full("/dev/full", OutputFile::Mode::update, "full.h5");
  const std::vector<double> numbers(300);
  EXPECT_THAT(
      [&] {
        auto file = Hdf5File::create(full);
        file.make_dataset("numbers", DType::f64, {100, 3});
        file.write_rows("numbers", 0, 100, DType::f64, numbers.data());
        file.close();
      },
      ThrowsMessage<Error>(HasSubstr("full.h5: cannot write: No space left on device")));
}

}  // namespace
}  // namespace astroclip::io
