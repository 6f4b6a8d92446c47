#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "fits/import.h"
#include "fits/label_tables.h"
#include "fits/pixel_store.h"
#include "fits/sky_frame.h"
#include "fits/spectrum_grid.h"

namespace astroclip::fits {

/// An object as it is written: a row of the paired layout.
struct WrittenObject {
  std::string id;
  bool has_own_id = true;  ///< false: a number that the import gave it
  SkyPosition position;    ///< NaN where it is unknown
  double redshift, warning;
  int64_t image = -1;  ///< where in the store; −1: it has none
  const GridSpectrum* spectrum = nullptr;
};

/// Every fifth of the pairs, of the images alone and of the spectra alone, and what is left over to a fifth of all of
/// the most numerous of the three, goes to the end, where the layout has its test objects. Returns how many are for
/// training.
int64_t put_test_objects_last(std::vector<WrittenObject>& objects);

/// Writes the request's output, with the labels of tables. Returns what was joined from them.
std::vector<std::string> write_objects(const std::vector<WrittenObject>& objects, const PixelStore& pixels,
                                       const ImportRequest& request, const LabelTables& tables);

}  // namespace astroclip::fits
