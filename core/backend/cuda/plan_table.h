#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>

namespace astroclip::cuda {

/// Which algorithm computes which product, in a text file, so that a search is made once and later runs get the same
/// bits. Its first line says for which card and libraries: it holds for no others.
class PlanTable {
 public:
  /// cuBLASLt's algorithm, which its documentation allows to be stored for the same version.
  using Algorithm = std::array<uint64_t, 8>;

  /// Reads the file if there is one. One that was made for another card or library counts as empty and is replaced.
  /// Throws Error naming file and line if it is not such a table.
  PlanTable(std::string path, std::string made_for);

  /// Null if the table lacks the product.
  const Algorithm* find(const std::string& product) const;
  /// Adds an entry and writes the file.
  void add(const std::string& product, const Algorithm& algorithm);

 private:
  std::string path_, first_line_;
  std::map<std::string, Algorithm> entries_;
};

}  // namespace astroclip::cuda
