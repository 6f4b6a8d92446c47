#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "embed/inputs.h"
#include "evaluate/pictures.h"
#include "explore/embeddings.h"
#include "io/table/column.h"

namespace astroclip::explore {

/// A field of an object that can be drawn: an image or a spectrum (evaluate/pictures.h).
struct Measured {
  std::string field;
  bool is_image = false;
};
/// Its values.
struct Measurement {
  Shape shape;
  std::vector<float> values;
  std::string unit;
  std::vector<std::string> bands = {};               ///< of an image, where they have names
  std::optional<evaluate::Colours> colours = {};     ///< of an image
  double first_wavelength = 0, wavelength_step = 0;  ///< of a spectrum, in Å
};

/// What the data tell of embedded objects: labels, images and spectra. Objects are found by their
/// identifiers; of several with one identifier the first is taken. Thread-safe.
class Catalogue {
 public:
  /// Throws Error when no object of the inputs is among the embeddings. Keeps the inputs.
  Catalogue(const Embeddings& embeddings, std::vector<embed::Input> inputs);

  struct Column {
    std::string name, unit, meaning;
    enum class Kind { integer, single, number, text } kind = Kind::number;  ///< single: float32
  };
  const std::vector<Column>& columns() const { return columns_; }
  /// Objects of the embeddings that the inputs have.
  int64_t found() const { return found_; }
  /// A number for each row of the embeddings, NaN where there is none, to colour by. Throws Error for a column that is
  /// unknown or text, and when the data cannot be read.
  std::vector<float> values(const std::string& column) const;
  /// Values of rows of the embeddings as the data have them, missing where they have none; of "object_id" the
  /// identifiers. Throws Error for an unknown column, and when the data cannot be read.
  io::Column read(const std::string& column, std::span<const int64_t> rows) const;

  /// What can be drawn of an object of an input, of these or of others: images, then spectra.
  std::vector<Measured> measured(const embed::Input& input, int64_t input_row) const;
  /// The field of that name; none where it was not measured or cannot be drawn.
  std::optional<Measurement> measurement(const embed::Input& input, int64_t input_row, const std::string& field) const;
  /// Names of the columns of right ascension and declination, if both are there.
  std::optional<std::pair<std::string, std::string>> position_columns() const;

  /// Where the data have an object.
  struct Found {
    int64_t row = 0;
    embed::Input input;
    int64_t input_row = 0;
  };
  std::optional<Found> find(int64_t row) const;
  /// The first row that the data have.
  std::optional<Found> first_found() const;

 private:
  struct Place {
    int32_t input = -1;  ///< −1: in none
    int64_t row = 0;
  };
  evaluate::ShownFields shown(const embed::Input& input) const;
  void add_columns(const Dataset& objects);
  const Column& described(const std::string& column) const;
  /// Reads rows of an input into places of the column.
  void read_part(io::Column& column, size_t input, std::span<const int64_t> rows, std::span<const size_t> to) const;

  const Embeddings& embeddings_;
  std::vector<embed::Input> inputs_;
  std::vector<Place> places_;  ///< of each row; empty without inputs
  int64_t found_ = 0;
  std::vector<Column> columns_;
};

/// From the least to the greatest value, and where most of them are.
struct ColumnSummary {
  double least = 0, greatest = 0;
  double low = 0, high = 0;        ///< percentiles 1 and 99
  int64_t count = 0;               ///< of numbers
  std::vector<int64_t> histogram;  ///< between low and high
};
ColumnSummary summary_of(std::span<const float> values, int64_t bins);
/// How many of some rows' values lie in each bin between low and high, both included.
std::vector<int64_t> histogram_of(std::span<const float> values, double low, double high, int64_t bins);

}  // namespace astroclip::explore
