#include "embed/inputs.h"

#include "data/paired_dataset.h"
#include "data/survey_dataset.h"
#include "io/file_list.h"

namespace astroclip::embed {

namespace {

Input survey_input(const std::vector<std::string>& files) {
  data::SurveyDataset::Options options{.files = files};
  options.train_fraction = 1.0;
  return {files, std::make_shared<data::SurveyDataset>(options), {"image"}};
}

Input paired_input(const std::string& file) {
  constexpr int64_t all_tenths = 10;
  return {{file}, std::make_shared<data::PairedDataset>(file, data::Augmentation{}, all_tenths), {"image", "spectrum"}};
}

}  // namespace

std::vector<Input> open_inputs(const std::vector<std::string>& named) {
  std::vector<Input> inputs;
  std::vector<std::string> survey;
  const auto end_survey = [&] {
    if (!survey.empty()) inputs.push_back(survey_input(survey));
    survey.clear();
  };
  for (const std::string& file : io::hdf5_files(named)) {
    if (io::has_survey_layout(file)) {
      survey.push_back(file);
      continue;
    }
    end_survey();
    inputs.push_back(paired_input(file));
  }
  end_survey();
  return inputs;
}

}  // namespace astroclip::embed
