#include "evaluate/joint.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <iterator>
#include <string>
#include <utility>

#include "base/error.h"
#include "base/text.h"

namespace astroclip::evaluate {

namespace {

/// The encoders that "image + photometry" names.
std::vector<std::string> joint_encoders(const std::string& joint) {
  std::vector<std::string> names;
  for (size_t begin = 0; begin <= joint.size();) {
    const size_t end = std::min(joint.find('+', begin), joint.size());
    names.emplace_back(trimmed(std::string_view(joint).substr(begin, end - begin)));
    begin = end + 1;
  }
  return names;
}

/// The columns of all, side by side, of the objects that all have.
Vectors side_by_side(const std::vector<const Vectors*>& parts) {
  std::vector<int64_t> common = parts.front()->objects;
  for (const Vectors* part : parts) {
    std::vector<int64_t> both;
    std::ranges::set_intersection(common, part->objects, std::back_inserter(both));
    common = std::move(both);
  }
  Vectors joined{{std::ssize(common), 0, {}}, common};
  std::vector<Matrix> own;
  for (const Vectors* part : parts) own.push_back(of_some(*part, common).values);
  for (int64_t row = 0; row < joined.values.rows; ++row) {
    for (const Matrix& part : own) std::ranges::copy(part.row(row), std::back_inserter(joined.values.values));
  }
  for (const Matrix& part : own) joined.values.columns += part.columns;
  return joined;
}

/// Of each name that all of the encoders have a representation of.
void add_one(const std::string& joint, std::vector<Representation>& representations) {
  const std::vector<std::string> towers = joint_encoders(joint);
  const size_t count = representations.size();
  for (size_t i = 0; i < count; ++i) {
    const Representation& first = representations[i];
    if (first.modality != towers.front()) continue;
    std::vector<const Vectors*> train, test;
    for (const std::string& tower : towers) {
      for (size_t k = 0; k < count; ++k) {
        const Representation& one = representations[k];
        if (one.modality != tower || one.name != first.name || one.role != first.role) continue;
        train.push_back(&one.train);
        test.push_back(&one.test);
        break;
      }
    }
    if (train.size() < towers.size()) continue;
    Representation joined{first.name,         joint,          false, first.role, side_by_side(train),
                          side_by_side(test), first.has_units};
    representations.push_back(std::move(joined));
  }
}

}  // namespace

void add_joint(const Experiment& experiment, std::vector<Representation>& representations) {
  for (const std::string& joint : experiment.evaluation.joint) add_one(joint, representations);
}

void check_joint(const Experiment& experiment) {
  std::vector<std::string> encoders;
  for (const EncoderSpec& encoder : experiment.encoders) encoders.push_back(encoder.name);
  for (const std::string& joint : experiment.evaluation.joint) {
    const std::vector<std::string> names = joint_encoders(joint);
    for (const std::string& name : names) {
      if (std::ranges::find(encoders, name) != encoders.end()) continue;
      throw Error(fmt::format("[evaluation] 'joint' = \"{}\": there is no encoder '{}' ({}){}", joint, name,
                              fmt::join(encoders, ", "), suggestion(name, encoders)));
    }
    if (names.size() < 2) throw Error(fmt::format("[evaluation] 'joint' = \"{}\" names one encoder", joint));
  }
}

}  // namespace astroclip::evaluate
