#pragma once

#include <string>
#include <vector>

#include "data/labels.h"
#include "io/table/table.h"

/// Labels of well-known catalogues.
namespace astroclip::data {

const std::vector<std::string>& label_presets();
/// The table with the columns by which its preset joins, where it names none.
LabelTable with_join(LabelTable table);

/// What a preset makes of a table's rows.
struct PresetLabels {
  struct Label {
    io::Column values;  ///< of every row; its name is the label's
    std::string unit, meaning;
  };
  /// The rows whose votes on a question are too few to count.
  struct FewVotes {
    std::string question;
    std::vector<bool> rows;
  };
  std::vector<Label> labels;
  std::vector<FewVotes> few_votes = {};
};
/// None without a preset. Throws Error naming the columns that are missing.
PresetLabels preset_labels(const io::Table& rows, const LabelTable& how);

}  // namespace astroclip::data
