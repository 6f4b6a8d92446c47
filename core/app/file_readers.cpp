#include "app/file_readers.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <vector>

#include "base/error.h"
#include "base/printable.h"
#include "base/table.h"
#include "compare/run_listing.h"
#include "config/toml.h"
#include "embed/inputs.h"
#include "experiment/experiment.h"
#include "fits/image_reader.h"
#include "fits/observations.h"
#include "io/file_format.h"
#include "io/fits.h"
#include "io/hdf5/hdf5.h"
#include "io/table/table.h"
#include "io/weights/weights_file.h"
#include "model/model.h"
#include "model/model_file.h"
#include "model/presets.h"
#include "sweep/plan.h"

namespace astroclip::app {

namespace {

namespace fs = std::filesystem;

/// Text out of a file, fit for a terminal and one line.
std::string shown(const std::string& text) { return printable(text, 100); }

std::string shown_list(const std::vector<std::string>& names) {
  constexpr size_t most = 12;
  const std::span first = std::span(names).first(std::min(names.size(), most));
  std::vector<std::string> all;
  for (const std::string& name : first) all.push_back(shown(name));
  return fmt::format("{}{}", fmt::join(all, ", "),
                     names.size() > most ? fmt::format(" and {} more", names.size() - most) : "");
}

/// "VERB: what the reader says", or why it refuses the file.
void print_taken(const std::string& path, const char* verb, const std::function<std::string()>& ask) {
  std::string said;
  try {
    said = ask();
  } catch (const Error& error) {
    const std::string reason = error.what(), prefix = path + ": ";
    said = "refuses it: " + (reason.starts_with(prefix) ? reason.substr(prefix.size()) : reason);
  }
  fmt::print("{}: {}\n", verb, said);
}

std::string first_bytes(const std::string& path) {
  constexpr size_t most = 4096;
  std::string bytes(most, '\0');
  std::ifstream file(path, std::ios::binary);
  file.read(bytes.data(), static_cast<std::streamsize>(most));
  bytes.resize(static_cast<size_t>(file.gcount()));
  return bytes;
}

template <class Open>
bool opens(const Open& open) {
  try {
    open();
    return true;
  } catch (const Error&) {
    return false;
  }
}

// Weights.

bool is_weights(const std::string& path) {
  try {
    return io::looks_like_weights(path);
  } catch (const Error&) {
    return false;
  }
}

std::string describe_model(const ModelDescription& model) {
  std::vector<std::string> encoders;
  for (const EncoderSpec& encoder : model.encoders) {
    encoders.push_back(fmt::format("{} ({})", encoder.name, encoder.plugin.plugin));
  }
  return fmt::format("takes it as a model of {}", fmt::join(encoders, " and "));
}

std::string describe_conversion(const std::string& path) {
  const io::WeightsFile weights = io::read_weights(path, Device::host());
  const auto preset = recognise(weights.tensors, presets());
  if (!preset) {
    return fmt::format(
        "no preset matches; with --architecture it takes the encoders of that file, without it copies {}",
        weights.section.empty() ? "all tensors" : fmt::format("those of '{}'", weights.section));
  }
  const Model model(load_architecture(preset->path), {}, std::nullopt);
  std::vector<std::string> all;
  for (const std::string& name : model.names()) {
    all.push_back(fmt::format("{} from {}", name, printable(model.load(name, weights.tensors, path).from.text())));
  }
  return fmt::format("takes {}, as in the preset {}", fmt::join(all, "; "), preset->name);
}

void describe_weights(const std::string& path) {
  const io::WeightsListing listing = io::list_weights(path);
  int64_t numbers = 0;
  std::vector<TableRow> rows;
  for (const auto& entry : listing.entries) {
    numbers += entry.shape.numel();
    rows.push_back({shown(entry.name), fmt::format("{:4}", entry.type), entry.shape.str()});
  }
  fmt::print("{}: {} tensors, {} numbers\n\n{}", listing.format, listing.entries.size(), numbers, format_table(rows));
  if (!listing.skipped.empty()) fmt::print("\ncannot be read\n");
  for (const auto& name : listing.skipped) fmt::print("  {}\n", shown(name));
  if (!listing.metadata.empty()) fmt::print("\nmetadata\n");
  for (const auto& [key, value] : listing.metadata) fmt::print("  {} = {}\n", shown(key), shown(value));
  fmt::print("\n");
  if (listing.metadata.contains("architecture")) {
    print_taken(path, "embed", [&] { return describe_model(read_model_description(listing.metadata, path)); });
  } else {
    print_taken(path, "convert", [&] { return describe_conversion(path); });
  }
}

// FITS.

bool is_fits(const std::string& path) {
  const std::string bytes = first_bytes(path);
  return bytes.starts_with("SIMPLE  =") ||
         (bytes.starts_with("\x1f\x8b") && opens([&] { (void)io::FitsFile::open(path); }));
}

std::string describe_import(const std::string& path) {
  fits::Observations found = fits::read_observations(path);
  size_t images = 0;
  if (!found.images.planes.empty()) {
    fits::ImageReader reader({});
    reader.add(std::move(found.images));
    for (const fits::ImagesOfFile& field : reader.whole_images()) {
      images += field.images.size();
      found.notes.insert(found.notes.end(), field.notes.begin(), field.notes.end());
      for (const std::string& reason : field.refused) found.refused.push_back({{}, reason});
    }
  }
  std::string text;
  const auto add = [&](size_t count, const char* one, const char* many) {
    if (count > 0) text += fmt::format("{}{} {}", text.empty() ? "takes " : ", ", count, count == 1 ? one : many);
  };
  add(images, "image", "images");
  add(found.spectra.size(), "spectrum", "spectra");
  add(found.redshifts.size(), "redshift", "redshifts");
  if (text.empty()) text = "takes nothing";
  if (!found.kind.empty()) text += fmt::format(" ({})", found.kind);
  for (const std::string& note : found.notes) text += "\n  note: " + printable(note);
  for (const fits::ObservedSpectrum& arm : found.partial) found.refused.push_back(fits::too_little(arm));
  std::map<std::string, std::vector<int64_t>> reasons;
  for (const fits::Refusal& refusal : found.refused) {
    std::vector<int64_t>& rows = reasons[refusal.reason];
    if (refusal.row) rows.push_back(*refusal.row);
  }
  for (const auto& [reason, rows] : reasons) {
    text += fmt::format("\n  refuses {}: {}", rows.empty() ? "it" : fmt::format("rows {}", fmt::join(rows, ", ")),
                        printable(reason));
  }
  return text;
}

/// Of each of a file's tables, if it has any.
std::string describe_table(const std::string& path, const std::string& table) {
  const io::Table opened = io::Table::open(path, table);
  return fmt::format("{}, {} rows: {}", opened.format(), opened.rows(), shown_list(opened.columns()));
}

void describe_fits(const std::string& path) {
  const auto file = io::FitsFile::open(path);
  std::vector<TableRow> rows;
  for (const io::FitsHdu& hdu : file.hdus()) {
    rows.push_back({shown(hdu.name),
                    hdu.is_table            ? fmt::format("table, {} rows", hdu.rows)
                    : hdu.shape.rank() == 0 ? "no data"
                                            : "image " + hdu.shape.str(),
                    shown_list(hdu.columns)});
  }
  fmt::print("FITS: {} HDUs\n\n{}\n", rows.size(), format_table(rows));
  print_taken(path, "import", [&] { return describe_import(path); });
  for (const io::FitsHdu& hdu : file.hdus()) {
    if (!hdu.is_table) continue;
    print_taken(path, fmt::format("labels from {}", shown(hdu.name)).c_str(),
                [&] { return describe_table(path, hdu.name); });
  }
}

// HDF5.

bool is_hdf5(const std::string& path) {
  const std::string bytes = first_bytes(path), signature("\x89HDF\r\n\x1a\n");
  for (size_t at = 0; at < bytes.size(); at = at == 0 ? 512 : 2 * at) {  // after a user block
    if (bytes.compare(at, signature.size(), signature) == 0) return true;
  }
  return false;
}

void list_datasets(const io::Hdf5File& file, const std::string& group, std::vector<TableRow>& rows) {
  constexpr size_t most = 200;
  const std::string prefix = group.empty() ? "" : group + "/";
  for (const std::string& name : file.datasets(group)) {
    if (rows.size() >= most) return;
    std::string type = "no numbers", shape;
    try {
      shape = file.shape(prefix + name).str();
      if (file.has_numbers(prefix + name)) type = name_of(file.dtype(prefix + name));
    } catch (const Error& error) {
      type = printable(error.what());
    }
    rows.push_back({shown(prefix + name), type, shape});
  }
  for (const std::string& name : file.groups(group)) list_datasets(file, prefix + name, rows);
}

std::string describe_inputs(const std::string& path) {
  embed::Request request;
  request.inputs = {path};
  std::vector<std::string> all, notes;
  int64_t objects = 0;
  for (const embed::Input& input : embed::open_inputs(request)) {
    objects += input.size();
    std::vector<std::string> fields;
    for (const Field& field : input.objects->fields()) {
      fields.push_back(field.shape.rank() == 0 ? field.name : field.name + " " + field.shape.str());
    }
    const std::string text = fmt::format("{}", fmt::join(fields, ", "));
    if (std::ranges::find(all, text) == all.end()) all.push_back(text);
    for (const std::string& note : input.objects->notes()) {
      const std::string line = "\n  note: " + printable(note);
      if (std::ranges::find(notes, line) == notes.end()) notes.push_back(line);
    }
  }
  return fmt::format("takes {} objects: {}{}", objects, fmt::join(all, "; "), fmt::join(notes, ""));
}

void describe_hdf5(const std::string& path) {
  const auto file = io::Hdf5File::open(path);
  std::vector<TableRow> rows;
  list_datasets(file, "", rows);
  fmt::print("HDF5: {} datasets\n\n{}", rows.size(), format_table(rows));
  fmt::print("\n");
  if (const std::string model = file.attribute("model_hash"); !model.empty()) {
    fmt::print("embeddings by the {} of the model {} ({})\n",
               file.attribute("embedding") == "pool" ? "backbones" : "heads", shown(file.attribute("model")),
               shown(model));
  } else {
    print_taken(path, "embed", [&] { return describe_inputs(path); });
  }
  print_taken(path, "labels", [&] { return describe_table(path, ""); });
}

// Experiment files.

bool is_toml(const std::string& path) { return fs::path(path).extension() == ".toml" && fs::is_regular_file(path); }

std::string describe_experiment(const config::Table& file, const std::string& path) {
  if (sweep::is_sweep(file)) {
    const sweep::Plan plan = sweep::read_plan(file);
    return fmt::format("a sweep of {} runs of the experiment {}", plan.runs.size(), plan.name);
  }
  std::vector<std::string> encoders, stages, tasks;
  const bool is_whole = file.find("dataset") != nullptr;
  for (const EncoderSpec& one : is_whole ? read_experiment(file).encoders : read_architecture(file, path)) {
    encoders.push_back(fmt::format("{} ({})", one.name, one.plugin.plugin));
  }
  if (!is_whole) return fmt::format("an architecture for convert and embed: {}", fmt::join(encoders, ", "));
  const Experiment experiment = read_experiment(file);
  for (const StageSpec& stage : experiment.stages) {
    stages.push_back(fmt::format("{} ({}, {} steps)", stage.name, stage.loss.plugin, stage.steps));
  }
  return fmt::format("the experiment {}: dataset {}; encoders {}; stages {}; {} tasks", experiment.name,
                     experiment.dataset.plugin, fmt::join(encoders, ", "), fmt::join(stages, ", "),
                     experiment.tasks.size());
}

void describe_toml(const std::string& path) {
  print_taken(path, "experiment file", [&] { return describe_experiment(config::parse_file(path), path); });
}

// Other tables.

bool is_text(const std::string& path) {
  const std::string bytes = first_bytes(path);
  const bool is_gzipped = bytes.starts_with("\x1f\x8b");
  return is_gzipped || (!bytes.empty() && std::ranges::none_of(bytes, [](char c) {
           return (c >= 0 && c < ' ' && c != '\n' && c != '\r' && c != '\t') || c == 0x7F;
         }));
}

void describe_text(const std::string& path) {
  print_taken(path, "labels", [&] { return describe_table(path, ""); });
}

// Folders.

/// Files of each kind in a folder, itself or below.
void describe_folder(const std::string& path) {
  if (const auto runs = compare::list_runs(path); !runs.empty()) {
    fmt::print("folder of runs\n\n{}", compare::to_text(runs, true));
    return;
  }
  std::map<std::string, int64_t> kinds;
  for (const auto& entry : fs::recursive_directory_iterator(path, fs::directory_options::skip_permission_denied)) {
    if (!entry.is_regular_file()) continue;
    const auto readers = file_readers();
    const auto reader =
        std::ranges::find_if(readers, [&](const FileReader& one) { return one.recognises(entry.path().string()); });
    ++kinds[reader == readers.end() ? "other files" : reader->kind];
  }
  std::vector<TableRow> rows;
  for (const auto& [kind, count] : kinds) rows.push_back({kind, std::to_string(count)});
  fmt::print("folder\n\n{}\n", format_table(rows));
  print_taken(path, "embed", [&] { return describe_inputs(path); });
}

constexpr FileReader all_readers[] = {
    {"folders", [](const std::string& path) { return fs::is_directory(path); }, describe_folder},
    {"experiment files", is_toml, describe_toml},
    {"FITS files", is_fits, describe_fits},
    {"HDF5 files", is_hdf5, describe_hdf5},
    {"files of weights", is_weights, describe_weights},
    {"tables", is_text, describe_text},
};

}  // namespace

std::span<const FileReader> file_readers() { return all_readers; }

}  // namespace astroclip::app
