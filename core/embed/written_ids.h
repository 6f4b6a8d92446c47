#pragma once

#include <cstdint>
#include <vector>

#include "embed/inputs.h"
#include "io/output/row_file.h"

namespace astroclip::embed {

/// Identifiers of all inputs in one column of the output: as the inputs have them, as texts where they differ.
class WrittenIds {
 public:
  explicit WrittenIds(const std::vector<Input>& inputs);

  io::RowFile::Column column() const;
  /// Those of rows of the output from `begin` on.
  void write(io::RowFile& file, int64_t begin, const ObjectIds& ids) const;

 private:
  IdKind kind_;
  int64_t bytes_ = 1;  ///< of the longest text
};

}  // namespace astroclip::embed
