#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "fits/image_planes.h"
#include "fits/pixel_store.h"
#include "fits/survey_table.h"

/// Images of FITS files, on the survey's grid.
namespace astroclip::fits {

struct ObservedImage {
  std::vector<float> planes;          ///< [bands, 152, 152] nanomaggies; empty once they are stored
  int64_t stored = -1;                ///< where, in the reader's store
  SkyPosition position;               ///< of its centre
  std::optional<ObjectId> id = {};    ///< of its place
  std::optional<int64_t> place = {};  ///< the row of the places at which stamps were asked for
};

/// How images are to be read.
struct ImageOptions {
  std::vector<std::string> bands = {"g", "r", "z"};
  /// What the values are of; by default the header's unit tells, and brightness where it has none, as the Legacy
  /// Surveys' viewer resamples.
  std::optional<PixelValues> values = {};
};

/// What became of the images of a field: of one file, or of several that hold a band each.
struct ImagesOfFile {
  std::string file;                 ///< of the first band that was found
  std::vector<std::string> others;  ///< files of further bands
  std::vector<ObservedImage> images;
  std::vector<std::string> refused;  ///< reasons
  std::vector<std::string> notes;    ///< what was taken for what, and by which words
};

struct StampsAtPlaces {
  std::vector<ImagesOfFile> files;
  /// Rows of places without a stamp, and why.
  std::vector<std::pair<int64_t, std::string>> refused;
};

/// Gathers planes file after file, joins those of one field of the sky, and cuts images out of them. Planes by
/// themselves are joined when they have the same size and place, to a fifth of a pixel, and are of different bands. A
/// pixel without measurement (inverse variance 0, or masked) is 0, as in the Legacy Surveys' images.
class ImageReader {
 public:
  /// Where there is a store, it gets the pixels of each image as it is cut.
  explicit ImageReader(ImageOptions options, PixelStore* store = nullptr)
      : options_(std::move(options)), store_(store) {}

  /// Takes note of what a file holds.
  void add(ImagePlanes planes);
  bool empty() const { return fields_.empty() && companions_.empty(); }
  /// The image at the middle of each field.
  std::vector<ImagesOfFile> whole_images();
  /// An image at each place, of the field in which it lies deepest. Each tile of a compressed field is unpacked once.
  StampsAtPlaces stamps(const std::vector<SkyPosition>& places);

 private:
  struct Field;
  Field& take(std::vector<ImagePlane> planes);
  void join_companions();
  /// Adds an image.
  void keep(ObservedImage image, std::vector<ObservedImage>& images) const;

  ImageOptions options_;
  PixelStore* store_;
  std::vector<std::shared_ptr<Field>> fields_;
  std::map<std::tuple<int64_t, int64_t, int64_t>, std::vector<Field*>> singles_;  ///< by size and declination
  std::vector<ImagePlane> companions_;
};

}  // namespace astroclip::fits
