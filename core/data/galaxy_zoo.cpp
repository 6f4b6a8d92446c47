#include "data/galaxy_zoo.h"

namespace astroclip::data {

std::span<const Question> galaxy_zoo_decals() {
  static const std::vector<Question> questions = {
      {"smooth-or-featured", {"smooth", "featured-or-disk", "artifact"}},
      {"disk-edge-on", {"yes", "no"}},
      {"has-spiral-arms", {"yes", "no"}},
      {"bar", {"strong", "weak", "no"}},
      {"bulge-size", {"dominant", "large", "moderate", "small", "none"}},
      {"how-rounded", {"round", "in-between", "cigar-shaped"}},
      {"edge-on-bulge", {"boxy", "none", "rounded"}},
      {"spiral-winding", {"tight", "medium", "loose"}},
      {"spiral-arm-count", {"1", "2", "3", "4", "more-than-4", "cant-tell"}},
      {"merging", {"none", "minor-disturbance", "major-disturbance", "merger"}}};
  return questions;
}

std::span<const Question> galaxy_zoo_2() {
  static const std::vector<Question> questions = {
      {"t01_smooth_or_features", {"a01_smooth", "a02_features_or_disk", "a03_star_or_artifact"}},
      {"t02_edgeon", {"a04_yes", "a05_no"}},
      {"t03_bar", {"a06_bar", "a07_no_bar"}},
      {"t04_spiral", {"a08_spiral", "a09_no_spiral"}},
      {"t05_bulge_prominence", {"a10_no_bulge", "a11_just_noticeable", "a12_obvious", "a13_dominant"}},
      {"t06_odd", {"a14_yes", "a15_no"}},
      {"t07_rounded", {"a16_completely_round", "a17_in_between", "a18_cigar_shaped"}},
      {"t08_odd_feature",
       {"a19_ring", "a20_lens_or_arc", "a21_disturbed", "a22_irregular", "a23_other", "a24_merger", "a38_dust_lane"}},
      {"t09_bulge_shape", {"a25_rounded", "a26_boxy", "a27_no_bulge"}},
      {"t10_arms_winding", {"a28_tight", "a29_medium", "a30_loose"}},
      {"t11_arms_number", {"a31_1", "a32_2", "a33_3", "a34_4", "a36_more_than_4", "a37_cant_tell"}}};
  return questions;
}

std::string total_votes(const Question& question) { return question.name + "_total-votes"; }

std::string vote_share(const Question& question, size_t answer, const std::string& kind) {
  return question.name + "_" + question.answers.at(answer) + "_" + kind;
}

}  // namespace astroclip::data
