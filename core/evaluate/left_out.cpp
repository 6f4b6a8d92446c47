#include "evaluate/left_out.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <iterator>
#include <map>
#include <span>
#include <utility>

#include "base/error.h"
#include "base/finite.h"

namespace astroclip::evaluate {

namespace {

using Places = std::vector<int64_t>;

/// One split of the input.
struct Part {
  const char* name;
  Vectors Representation::*vectors;
  const Places& ids;
  const IdNames& names;
};

std::string first_ids(const Places& objects, const Part& part) {
  constexpr size_t shown = 5;
  std::vector<std::string> first;
  for (const int64_t object : std::span(objects).first(std::min(shown, objects.size()))) {
    first.push_back(part.names(part.ids[static_cast<size_t>(object)]));
  }
  return fmt::format("object_id {}{}", fmt::join(first, ", "), objects.size() > shown ? " …" : "");
}

Places not_finite(const Vectors& vectors) {
  Places bad;
  for (int64_t row = 0; row < vectors.values.rows; ++row) {
    if (!all_finite(vectors.values.row(row))) bad.push_back(vectors.objects[static_cast<size_t>(row)]);
  }
  return bad;
}

Places without(const Places& from, const Places& out) {
  Places kept;
  std::ranges::set_difference(from, out, std::back_inserter(kept));
  return kept;
}

/// Of all representations of the split together.
Places failed_objects(const std::vector<Representation>& representations, const Part& part, double largest_share,
                      std::vector<std::string>& sentences) {
  Places failed;
  for (const Representation& one : representations) {
    const Vectors& vectors = one.*part.vectors;
    const Places bad = not_finite(vectors);
    if (bad.empty()) continue;
    const std::string what =
        fmt::format("the representation '{}' of '{}' is not finite for {} of {} {} objects that have the modality ({})",
                    one.name, one.modality, bad.size(), vectors.objects.size(), part.name, first_ids(bad, part));
    if (static_cast<double>(bad.size()) > largest_share * static_cast<double>(vectors.objects.size())) {
      throw Error(fmt::format("[evaluation] {}; 'max_not_finite' = {} allows no such share", what, largest_share));
    }
    sentences.push_back(what);
    Places all;
    std::ranges::set_union(failed, bad, std::back_inserter(all));
    failed = std::move(all);
  }
  return failed;
}

/// What all representations of each modality have, but for `failed`.
std::map<std::string, Places> common_objects(const std::vector<Representation>& representations, const Part& part,
                                             const Places& failed, std::vector<std::string>& sentences) {
  std::map<std::string, Places> largest, common;
  for (const Representation& one : representations) {
    const Places& own = (one.*part.vectors).objects;
    Places& most = largest[one.modality];
    if (own.size() > most.size()) most = own;
  }
  for (const Representation& one : representations) {
    const auto [found, is_first] = common.emplace(one.modality, without(largest[one.modality], failed));
    const Places& own = (one.*part.vectors).objects;
    const Places lacking = without(largest[one.modality], own);
    if (lacking.empty()) continue;
    sentences.push_back(fmt::format("the floor '{}' of '{}' has no values for {} of {} {} objects ({})", one.name,
                                    one.modality, lacking.size(), largest[one.modality].size(), part.name,
                                    first_ids(lacking, part)));
    if (own.empty()) throw Error(fmt::format("[evaluation] {}; leave it out of 'floors'", sentences.back()));
    found->second = without(found->second, lacking);
  }
  return common;
}

}  // namespace

std::vector<std::string> leave_out(TaskInput& input, double largest_share) {
  std::vector<std::string> sentences;
  for (const Part& part : {Part{"training", &Representation::train, input.train_ids, input.id_names},
                           Part{"test", &Representation::test, input.test_ids, input.id_names}}) {
    const Places failed = failed_objects(input.representations, part, largest_share, sentences);
    const auto common = common_objects(input.representations, part, failed, sentences);
    for (Representation& one : input.representations) {
      Vectors& vectors = one.*part.vectors;
      const Places& kept = common.at(one.modality);
      if (vectors.objects != kept) vectors = of_some(vectors, kept);
    }
  }
  return sentences;
}

}  // namespace astroclip::evaluate
