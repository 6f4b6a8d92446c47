#include "embed/inputs.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "base/error.h"
#include "config/toml.h"
#include "data/image_bands.h"
#include "data/paired_dataset.h"
#include "data/survey_dataset.h"
#include "experiment/dataset_spec.h"
#include "io/file_list.h"
#include "model/model.h"

namespace astroclip::embed {

namespace {

/// For decoded chunks: rows are read in their order, and a chunk is done with when the next one begins.
constexpr int64_t cache_bytes = int64_t{256} << 20;

/// Every object of files, which are all in the training split.
Input files_input(const std::vector<std::string>& files, std::shared_ptr<const Dataset> objects) {
  std::string sizes;
  for (const std::string& file : files) sizes += fmt::format("{} bytes\n", std::filesystem::file_size(file));
  return {files.front(), sizes, std::move(objects)};
}

/// Rows of files without ids are counted on from `first_id`.
Input survey_input(const std::vector<std::string>& files, int64_t first_id) {
  data::SurveyDataset::Options options{.files = files};
  options.train_fraction = 1.0;
  options.cache_bytes = cache_bytes;
  options.first_id = first_id;
  return files_input(files, std::make_shared<data::SurveyDataset>(options));
}

Input paired_input(const std::string& file) {
  constexpr int64_t all_tenths = 10;
  return files_input({file}, std::make_shared<data::PairedDataset>(file, all_tenths));
}

std::vector<Input> open_files(const std::vector<std::string>& named, const std::string& output) {
  std::vector<Input> inputs;
  std::vector<std::string> survey;
  std::string layout;  // of these files
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
    const std::string own = data::survey_layout(file);
    if (own != layout) end_survey();
    layout = own;
    if (own.empty())
      add(paired_input(file));
    else
      survey.push_back(file);
  }
  end_survey();
  if (inputs.empty()) throw Error(fmt::format("{}: the output is the only input", output));
  return inputs;
}

/// The section [dataset] of a TOML file, or one made for a plugin's name, with the request's assignments.
config::Value dataset_section(const Request& request) {
  const bool is_file = request.dataset.ends_with(".toml");
  if (!is_file && std::filesystem::exists(request.dataset)) {
    throw Error(fmt::format("{}: --dataset takes a plugin or a file FILE.toml; objects in files go by --input",
                            request.dataset));
  }
  config::Table file = is_file ? config::parse_file(request.dataset) : config::Table();
  if (!is_file) {
    config::Table section;
    section.set("plugin", {request.dataset, {"--dataset"}});
    file.set("dataset", {section, {"--dataset"}});
  }
  for (const std::string& assignment : request.assignments) config::apply_override(file, assignment);
  if (const config::Value* section = file.find("dataset")) return *section;
  throw Error(fmt::format("{}: has no section [dataset]", request.dataset));
}

std::vector<Input> open_plugin(const Request& request) {
  config::Problems problems;
  const auto spec = DatasetSpec::read(dataset_section(request), {"dataset"}, problems);
  problems.throw_if_any();
  const std::shared_ptr<const Dataset> objects = spec.make();
  std::vector<Input> inputs;
  for (const Split split : {Split::train, Split::test}) {
    const std::string contents =
        fmt::format("dataset '{}', {} objects of the {} split\n{}", spec.plugin, objects->size(split),
                    split == Split::train ? "training" : "test", config::to_toml(spec.parameters));
    if (objects->size(split) > 0)
      inputs.push_back({fmt::format("dataset '{}'", spec.plugin), contents, objects, split});
  }
  if (inputs.empty()) throw Error(fmt::format("dataset '{}': has no objects", spec.plugin));
  return inputs;
}

}  // namespace

bool Input::has(const std::string& modality) const {
  const std::vector<Field> fields = objects->fields();
  return std::ranges::find(fields, modality, &Field::name) != fields.end();
}

void Input::take_views(const ModelDescription& model, const std::vector<EncoderSpec>& encoders) {
  views = objects;
  for (const EncoderSpec& encoder : encoders) {
    if (data::takes_bands(modality_of(encoder))) views = data::as_taken(objects, model.preprocessing, name);
    check_views(model, *views, modality_of(encoder), name);
  }
}

std::vector<Input> open_inputs(const Request& request) {
  return request.dataset.empty() ? open_files(request.inputs, request.output) : open_plugin(request);
}

}  // namespace astroclip::embed
