#include <memory>
#include <vector>

#include "base/error.h"
#include "fuzzed_file.h"
#include "io/hdf5/hdf5.h"
#include "io/hdf5/row_reader.h"
#include "io/table/table.h"

// Reads the first rows of every dataset, by the library and by the reader of chunks, and the columns of a table. As in
// fuzz_pytorch_file.cpp; a crash within libhdf5 itself is a finding, too, but not one of ours.
namespace {

using namespace astroclip;

constexpr int64_t most_values = 1 << 20;
constexpr int deepest = 4;

template <class Read>
void attempt(const Read& read) {
  try {
    read();
  } catch (const Error&) {
  }
}

void read_dataset(const io::Hdf5File& file, const std::string& name) {
  const Shape shape = file.shape(name);
  if (shape.rank() == 0 || shape.numel() > most_values) return;
  std::vector<int64_t> rows;
  for (int64_t row = 0; row < shape[0] && row < 8; ++row) rows.push_back(row);
  std::vector<double> values(static_cast<size_t>(shape.numel()) + 8);
  attempt([&] { file.read_rows(name, rows, DType::f64, values.data()); });
  attempt([&] {
    if (file.column_of(name, shape[0]) == io::Hdf5File::Column::texts) (void)file.read_texts(name, rows);
  });
  attempt([&] { (void)file.read_ids(name, rows); });
  attempt([&] {
    const auto cache = std::make_shared<io::BlockCache>(1 << 22);
    io::RowReader(file, name, cache).read(rows, DType::f64, values.data());
  });
}

void read_group(const io::Hdf5File& file, const std::string& group, int depth) {
  const std::string prefix = group.empty() ? "" : group + "/";
  for (const std::string& name : file.datasets(group)) attempt([&] { read_dataset(file, prefix + name); });
  if (depth == deepest) return;
  for (const std::string& name : file.groups(group)) attempt([&] { read_group(file, prefix + name, depth + 1); });
}

void read_table(const std::string& path) {
  const io::Table table = io::Table::open(path);
  if (table.rows() > most_values) return;
  for (const std::string& column : table.columns()) attempt([&] { (void)table.read(column); });
  for (const std::string& element : table.elements()) attempt([&] { (void)table.read(element); });
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const fuzz::FuzzedFile bytes(data, size);
  attempt([&] {
    const auto file = io::Hdf5File::open(bytes.path());
    (void)file.attribute("provenance");
    read_group(file, "", 0);
  });
  attempt([&] { read_table(bytes.path()); });
  return 0;
}
