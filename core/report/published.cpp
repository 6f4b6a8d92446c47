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

/// Accuracies of section 5.5 there, means of ten questions.
struct PublishedAccuracy {
  const char* representation;
  double accuracy;
};
constexpr PublishedAccuracy published_accuracies[] = {{"aligned", 0.76}, {"before alignment", 0.78}};

/// What a report measures as it was published.
enum class Subject { none, redshift, properties, morphology };

Subject subject_of(const Report& report, const RunResults& run) {
  if (report.protocol != "published") return Subject::none;  // other protocols measure other objects
  if (report.title == "morphology: mean of the questions")
    return run.has_published_votes ? Subject::morphology : Subject::none;
  if (std::ranges::find(published_objects, run.objects) == std::end(published_objects)) return Subject::none;
  if (report.title.starts_with("properties")) return Subject::properties;
  return report.title.starts_with("redshift") ? Subject::redshift : Subject::none;
}

}  // namespace

double published(const Report& report, const Measurement& line, const std::string& metric, const RunResults& run) {
  const double none = std::numeric_limits<double>::quiet_NaN();
  const Subject subject = subject_of(report, run);
  if (subject == Subject::morphology) {
    const auto found = std::ranges::find(published_accuracies, line.representation, &PublishedAccuracy::representation);
    const bool is_there = metric == "accuracy" && line.modality == "image" && line.method == "mlp" &&
                          found != std::end(published_accuracies);
    return is_there ? found->accuracy : none;
  }
  if (subject == Subject::none || metric != "R²") return none;
  for (const PublishedNumber& one : published_numbers) {
    const std::string label = one.label;
    const bool is_redshift = label == "redshift";
    if (is_redshift != (subject == Subject::redshift)) continue;
    const std::string method = is_redshift ? one.method : label + " " + one.method;
    if (line.method == method && line.modality == one.modality && line.representation == one.representation)
      return one.r_squared;
  }
  return none;
}

std::string published_rivals(const Report& report, const RunResults& run) {
  switch (subject_of(report, run)) {
    case Subject::redshift:
      return "Published beside AstroCLIP, R²: images by Stein et al. 2021 0.36, by a supervised ResNet-18 0.77; "
             "photometry by a network 0.68; spectra by supervised convolutions and attention 0.99.";
    case Subject::properties:
      return "Published beside AstroCLIP, means of R² of mass, metallicity, age and star formation: images before "
             "alignment 0.37, by Stein et al. 2021 0.26, by a supervised ResNet-18 0.43; photometry by a network 0.42; "
             "spectra before alignment 0.64, by supervised convolutions and attention 0.60.";
    case Subject::morphology:
      return "Published beside AstroCLIP, mean accuracy of ten questions: Stein et al. 2021 0.76, ZooBot (supervised) "
             "0.88.";
    case Subject::none:
      return "";
  }
  return "";
}

}  // namespace astroclip::report
