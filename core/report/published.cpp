#include "report/published.h"

#include <algorithm>
#include <iterator>
#include <limits>

namespace astroclip::report {

namespace {

/// Galaxies of the published file: as the paper counts them, and as the file does.
constexpr int64_t published_objects[] = {197632, 197976};

/// R² of figures 5 to 7 and of table 1 there, of the galaxies with PROVABGS labels.
struct PublishedNumber {
  const char *label, *modality, *representation, *method;
  double r_squared;
};
constexpr PublishedNumber published_numbers[] = {
    {"redshift", "image", "aligned", "knn", 0.79},
    {"redshift", "image", "aligned", "mlp", 0.78},
    {"redshift", "image", "before alignment", "knn", 0.63},
    {"redshift", "spectrum", "aligned", "knn", 0.99},
    {"redshift", "spectrum", "before alignment", "knn", 0.99},
    {"log_mass", "image", "aligned", "knn", 0.74},
    {"log_mass", "spectrum", "aligned", "knn", 0.87},
    {"published_metallicity", "image", "aligned", "knn", 0.44},
    {"published_metallicity", "spectrum", "aligned", "knn", 0.57},
    {"age", "image", "aligned", "knn", 0.27},
    {"age", "spectrum", "aligned", "knn", 0.43},
    {"published_ssfr", "image", "aligned", "knn", 0.44},
    {"published_ssfr", "spectrum", "aligned", "knn", 0.63},
};

}  // namespace

double published(const Report& report, const Measurement& line, const std::string& metric, int64_t objects) {
  if (metric != "R²" || std::ranges::find(published_objects, objects) == std::end(published_objects))
    return std::numeric_limits<double>::quiet_NaN();
  for (const PublishedNumber& one : published_numbers) {
    const std::string label = one.label;
    const bool is_redshift = label == "redshift";
    // Redshifts are of the published selection only under the published protocol.
    const bool same_protocol = !is_redshift || (report.protocol == "published" && report.title.starts_with("redshift"));
    const std::string method = is_redshift ? one.method : label + " " + one.method;
    if (same_protocol && line.method == method && line.modality == one.modality &&
        line.representation == one.representation)
      return one.r_squared;
  }
  return std::numeric_limits<double>::quiet_NaN();
}

}  // namespace astroclip::report
