#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "io/hdf5/hdf5.h"

namespace astroclip::report {

/// Images of a field of the dataset.
struct Images {
  std::string field;
  int64_t side = 0;
  std::vector<float> values;  ///< [shown, 3, side, side]
};

/// Spectra of a field of the dataset.
struct Spectra {
  std::string field;
  std::vector<double> wavelengths;  ///< [pixels] in Å, two or more
  std::vector<float> values;        ///< [shown, pixels]
};

/// What a run's objects.h5 shows of test objects.
struct Pictures {
  std::map<int64_t, size_t> places = {};  ///< by test object, along all `shown`
  std::vector<Images> images = {};
  std::vector<Spectra> spectra = {};

  std::span<const float> image(const Images& of, int64_t object) const;
  /// A spectrum over its median [pixels], NaN where it was not measured; empty if the median is 0 or not known.
  std::vector<double> over_median(const Spectra& of, int64_t object) const;
};

/// Throws Error naming the file when shapes disagree.
Pictures read_pictures(const io::Hdf5File& file);

/// A picture [3, side, side] with values from 0 to 1, the lowest row first, as JPEG in base64.
std::string encoded_jpeg(std::span<const float> image, int64_t side);
/// An encoded picture as an element of a page; `text` is what it shows.
std::string picture_html(std::string_view encoded, const std::string& text, const std::string& attributes = "");

/// gnuplot's commands for named lines of galaxies' spectra at a redshift, between two wavelengths in Å, with names
/// above the frame but for those that would overlap. None of an unknown redshift.
std::string line_marks(double redshift, double first, double last);

}  // namespace astroclip::report
