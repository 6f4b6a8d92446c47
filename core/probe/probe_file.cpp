#include "probe/probe_file.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <optional>
#include <sstream>

#include "base/error.h"
#include "io/weights/safetensors.h"
#include "probe/restore_internal.h"

namespace astroclip::probe {

namespace {

constexpr const char *method_key = "probe", *predicts_key = "predicts", *outputs_key = "outputs",
                     *target_key = "target", *protocol_key = "protocol";
constexpr const char *mean_name = "column_mean", *scale_name = "column_scale";
constexpr const char *numbers_name = "numbers", *shares_name = "shares";

FittedProbe read_fitted(const Tensors& tensors, const ProbeFile& file) {
  std::vector<std::string> outputs;
  std::istringstream lines(file[outputs_key]);
  for (std::string line; std::getline(lines, line);) outputs.push_back(line);
  const std::string target_text = file[target_key];
  if (target_text != numbers_name && target_text != shares_name) {
    throw Error(fmt::format("its metadata \"{}\" is \"{}\", \"{}\" or \"{}\" was expected", target_key, target_text,
                            numbers_name, shares_name));
  }
  const Target target = target_text == shares_name ? Target::shares : Target::numbers;
  const Standardiser standardise(tensor_of(tensors, mean_name, 1).to_doubles(),
                                 tensor_of(tensors, scale_name, 1).to_doubles());
  FittedProbe fitted{file[method_key],
                     file[predicts_key],
                     std::move(outputs),
                     target,
                     Protocol::own,
                     standardise,
                     restore(file[method_key], tensors, target)};
  const std::optional<Protocol> protocol = protocol_named(file[protocol_key]);
  if (!protocol) {
    throw Error(fmt::format("its metadata \"{}\" is \"{}\", \"own\", \"published\" or \"corrected\" was expected",
                            protocol_key, file[protocol_key]));
  }
  fitted.protocol = *protocol;
  const size_t columns = standardise.means().size();
  const int64_t vectors = fitted.probe->vectors();
  const Matrix zeros{vectors, static_cast<int64_t>(columns),
                     std::vector<float>(static_cast<size_t>(vectors) * columns, 0.0F)};
  const size_t found = fitted.probe->predict(zeros).size();
  if (found == fitted.outputs.size()) return fitted;
  throw Error(fmt::format("the probe has {} outputs, its metadata names {}", found, fitted.outputs.size()));
}

}  // namespace

std::vector<double> FittedProbe::predict(const Matrix& vectors) const { return probe->predict(standardise(vectors)); }

std::vector<NamedTensor> FittedProbe::tensors() const {
  std::vector<NamedTensor> all = {{mean_name, as_vector(standardise.means())},
                                  {scale_name, as_vector(standardise.scales())}};
  nn::append_state(all, probe->tensors());
  return all;
}

std::map<std::string, std::string> FittedProbe::metadata() const {
  return {{method_key, method},
          {predicts_key, predicts},
          {outputs_key, fmt::format("{}", fmt::join(outputs, "\n"))},
          {target_key, target == Target::shares ? shares_name : numbers_name},
          {protocol_key, name_of(protocol)}};
}

std::string ProbeFile::operator[](const std::string& name) const {
  const auto found = metadata.find(name);
  return found == metadata.end() ? "" : found->second;
}

ProbeFile read_probe(const std::string& path) {
  const auto file = io::SafetensorsFile::open(path);
  ProbeFile read{{}, file.metadata()};
  if (!read.metadata.contains(method_key)) {
    throw Error(fmt::format("{}: is not a file of a probe: its metadata has no \"{}\"", path, method_key));
  }
  Tensors tensors;
  for (const auto& entry : file.entries()) {
    tensors[entry.name] = file.read(entry.name, io::dtype_of_elements(entry.type), Device::host());
  }
  try {
    read.fitted = read_fitted(tensors, read);
  } catch (const Error& error) {
    throw Error(fmt::format("{}: {}", path, error.what()));
  }
  return read;
}

}  // namespace astroclip::probe
