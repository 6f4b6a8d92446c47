#pragma once

#include <optional>
#include <string>

#include "bench/row.h"
#include "io/output/output_file.h"

namespace astroclip::bench {

/// What a row gave, or a package that did its work.
struct Result {
  std::string name;
  std::string peer = {};              ///< the package and its mode; "": astroclip
  Work work = {};                     ///< of which operations, bytes, objects and note are shown
  double seconds = 0.0;               ///< of a call
  std::optional<double> share = {};   ///< of the rate of the large product, or of the copy
  std::optional<double> ratio = {};   ///< of a package's time to astroclip's
  std::optional<double> first = {};   ///< seconds of the first call, in which plans are made or code is compiled
  std::optional<double> memory = {};  ///< bytes of the device that were held
  std::string error = {};             ///< why it was not measured
};

/// The table, printed line by line as results come, and the same as JSON.
class Report {
 public:
  Report(const Settings& settings, const std::string& json);
  void print_header() const;
  void add(const Result& result);

 private:
  void print(const Result& result) const;
  void write(const Result& result);

  Settings settings_;
  std::optional<io::OutputFile> json_;
};

}  // namespace astroclip::bench
