#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "embed/inputs.h"
#include "explore/embeddings.h"

namespace astroclip::explore {

/// What the data tell of embedded objects: numbers to colour by, images and spectra. Objects are found by their
/// identifiers; of several with one identifier the first is taken. Thread-safe.
class Catalogue {
 public:
  /// Throws Error when no object of the inputs is among the embeddings. Keeps the inputs.
  Catalogue(const Embeddings& embeddings, std::vector<embed::Input> inputs);

  struct Column {
    std::string name, unit, meaning;
  };
  const std::vector<Column>& columns() const { return columns_; }
  /// Objects of the embeddings that the inputs have.
  int64_t found() const { return found_; }
  /// A number for each row of the embeddings, NaN where there is none. They are read when they are first asked for.
  /// Throws Error for an unknown column, and when the data cannot be read.
  std::span<const float> values(const std::string& column) const;

  struct Measurement {
    Shape shape;
    std::vector<float> values;
    std::string unit;
    std::vector<std::string> bands = {};  ///< of an image, where they have names
  };
  /// The field of that name ("image", "spectrum") of an object; none where it was not measured.
  std::optional<Measurement> measurement(int64_t row, const std::string& field) const;

 private:
  struct Place {
    int32_t input = -1;  ///< −1: in none
    int64_t row = 0;
  };
  bool has_field(size_t input, const std::string& name) const;

  const Embeddings& embeddings_;
  std::vector<embed::Input> inputs_;
  std::vector<Place> places_;  ///< of each row
  int64_t found_ = 0;
  std::vector<Column> columns_;
  mutable std::mutex mutex_;
  mutable std::map<std::string, std::vector<float>> values_;
};

/// From the least to the greatest value, and where most of them are.
struct ColumnSummary {
  double least = 0, greatest = 0;
  double low = 0, high = 0;        ///< percentiles 1 and 99
  int64_t count = 0;               ///< of numbers
  std::vector<int64_t> histogram;  ///< between low and high
};
ColumnSummary summary_of(std::span<const float> values, int64_t bins);

}  // namespace astroclip::explore
