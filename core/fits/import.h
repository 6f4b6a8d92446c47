#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "fits/image_reader.h"
#include "fits/observations.h"

namespace astroclip::fits {

struct ImportRequest {
  std::vector<std::string> files;
  std::string output;
  /// (image file, spectrum file) as given in `files`; a spectrum's file may be followed by "#ROW".
  std::vector<std::pair<std::string, std::string>> pairs;
  ImageOptions images = {};
  /// A table of places (places.h): images are not taken whole, but cut out there. "": none.
  std::string at = {};
  /// Tables whose columns become labels (label_tables.h).
  std::vector<std::string> labels = {};
};

struct ImportedFile {
  std::string file, kind;
  int64_t taken = 0;  ///< images, spectra or redshifts
  std::vector<Refusal> refused;
  std::vector<std::string> notes;
  std::vector<int64_t> numbers;  ///< given to its objects, in the order of its rows, where they had none of their own
};

struct ImportedPair {
  std::string image, spectrum;
  int64_t row = 0;  ///< of the spectrum in its file
  std::string object_id;
  double separation = unknown;  ///< seconds of arc
};

/// What was taken, what was refused and why.
struct ImportReport {
  std::vector<ImportedFile> files;
  std::vector<ImportedPair> pairs;
  int64_t objects = 0, images = 0, spectra = 0, redshifts = 0;
  int64_t training = 0, testing = 0;
  std::vector<std::string> label_notes;  ///< what was joined from tables
};

/// Turns FITS files into one file of the paired layout (io/paired_file.h), in one group, a row an object. Images and
/// spectra are of one object when `pairs` names them, their identifiers are equal or their positions within the radius;
/// an image that `pairs` names goes by that alone. Of an object's spectra the one with the highest S/N is taken, of its
/// images the one nearest to the spectrum, of its redshifts the one without a warning, then the survey's choice
/// (ZCAT_PRIMARY), that of the spectrum taken, the highest DELTACHI2; then the first by name and row, whatever the
/// order of the files. What is passed over is among the refused. Redshifts are joined by identifier; a file that comes
/// again is refused. What an object lacks is zeros, and the labels `has_image` and `has_spectrum` (1 or 0) say so;
/// further labels are `ra`, `dec` (degrees) and `zwarn`; what is unknown is NaN. The file's attributes say `bands`
/// and how images were resampled (`image_values`). Objects without an identifier of their own get 1, 2, … In the layout
/// the first 80 % of the rows are for training: of the pairs, of the images alone and of the spectra alone every fifth
/// whole is for testing, what is left over to 20 % of all comes from the most numerous of the three. A single pair is
/// for training. The output appears when complete; none is written when nothing could be taken. Throws Error when a
/// named pair cannot be made or the output not be written.
ImportReport import_files(const ImportRequest& request);

}  // namespace astroclip::fits
