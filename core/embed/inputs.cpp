#include "embed/inputs.h"

#include <fmt/format.h>

#include <filesystem>

#include "base/error.h"
#include "data/paired_dataset.h"
#include "data/survey_dataset.h"
#include "io/file_list.h"

namespace astroclip::embed {

namespace {

/// Rows of files without ids are counted on from `first_id`.
Input survey_input(const std::vector<std::string>& files, int64_t first_id) {
  data::SurveyDataset::Options options{.files = files};
  options.train_fraction = 1.0;
  options.first_id = first_id;
  return {files, std::make_shared<data::SurveyDataset>(options), {"image"}};
}

Input paired_input(const std::string& file) {
  constexpr int64_t all_tenths = 10;
  auto objects = std::make_shared<data::PairedDataset>(file, all_tenths);
  std::vector<std::string> modalities;
  for (const Field& field : objects->fields()) {
    if (field.name == "image" || field.name == "spectrum") modalities.push_back(field.name);
  }
  return {{file}, std::move(objects), modalities};
}

}  // namespace

std::vector<Input> open_inputs(const std::vector<std::string>& named, const std::string& output) {
  std::vector<Input> inputs;
  std::vector<std::string> survey;
  int64_t rows = 0;
  const auto add = [&](Input input) {
    rows += input.size();
    inputs.push_back(std::move(input));
  };
  const auto end_survey = [&] {
    if (!survey.empty()) add(survey_input(survey, rows));
    survey.clear();
  };
  std::error_code absent;
  for (const std::string& file : io::hdf5_files(named)) {
    if (std::filesystem::equivalent(file, output, absent)) continue;  // of an earlier call, in a folder that is named
    if (data::has_survey_layout(file)) {
      survey.push_back(file);
      continue;
    }
    end_survey();
    add(paired_input(file));
  }
  end_survey();
  if (inputs.empty()) throw Error(fmt::format("{}: is the only input, too", output));
  return inputs;
}

}  // namespace astroclip::embed
