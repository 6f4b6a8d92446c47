#pragma once

#include <fstream>
#include <string>
#include <vector>

#include "support/fixtures.h"

namespace astroclip::testing_support {

/// Names of the functions that a header of the source tree declares on lines that begin with `prefix`, from the first
/// line that contains `begin`, but for those with a body: what a table of tests must have a row for.
inline std::vector<std::string> declared(const std::string& header, const std::string& prefix,
                                         const std::string& begin) {
  std::ifstream file(source_file(header));
  std::vector<std::string> names;
  bool begun = false;
  for (std::string line; std::getline(file, line);) {
    begun = begun || line.find(begin) != std::string::npos;
    const size_t end = line.find('(');
    if (begun && line.starts_with(prefix) && end != std::string::npos && !line.ends_with('}')) {
      const size_t before = line.find_last_of(" *&", end);
      names.push_back(line.substr(before + 1, end - before - 1));
    }
  }
  return names;
}

}  // namespace astroclip::testing_support
