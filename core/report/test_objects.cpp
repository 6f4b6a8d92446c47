#include "report/test_objects.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <filesystem>

#include "base/text.h"
#include "io/hdf5/hdf5.h"
#include "probe/metrics.h"
#include "report/stored_values.h"

namespace astroclip::report {

namespace fs = std::filesystem;

namespace {

Role role_of(const RunResults& run, const Prediction& one) {
  for (const Report& report : run.reports) {
    for (const Measurement& line : report.rows) {
      if (line.representation == one.representation && line.modality == one.modality) return line.role;
    }
  }
  return Role::baseline;
}

StoredPrediction read_prediction(const io::Hdf5File& file, const std::string& group, const TestObjects& objects) {
  StoredPrediction one;
  const std::string ids = group + "/object_id";
  one.values.ids = file.read_ids(ids, all_rows(file, ids)).keys;
  one.values.truth = doubles_in(file, group + "/truth");
  one.values.predicted = doubles_in(file, group + "/predicted");
  if (file.contains(group + "/outputs"))
    one.values.outputs = file.read_texts(group + "/outputs", all_rows(file, group + "/outputs"));
  const size_t values = one.values.ids.size() * std::max<size_t>(1, one.values.outputs.size());
  if (one.values.truth.size() != values || one.values.predicted.size() != values)
    throw Error(file.path() + ": '" + group + "' has not as many values as objects");
  for (const int64_t key : one.values.ids) {
    const auto found = objects.places.find(key);
    one.values.objects.push_back(found == objects.places.end() ? -1 : found->second);
  }
  return one;
}

}  // namespace

std::string TestObjects::redshift() const {
  for (const auto& [name, values] : labels) {
    if (probe::is_redshift(name)) return name;
  }
  return "";
}

std::string TestObjects::magnitude() const {
  for (const char* beginning : {"mag_r", "mag", "fibermag_r", "fibermag"}) {
    for (const auto& [name, values] : labels) {
      if (lower(name).starts_with(beginning)) return name;
    }
  }
  return "";
}

std::string TestObjects::with_unit(const std::string& label) const {
  const auto unit = units.find(label);
  return unit == units.end() ? label : fmt::format("{} [{}]", label, unit->second);
}

double TestObjects::redshift_of(int64_t object) const {
  const std::string label = redshift();
  return label.empty() ? std::nan("") : labels.at(label)[static_cast<size_t>(object)];
}

std::string TestObjects::described(int64_t object) const {
  const double redshift = redshift_of(object);
  return ids[static_cast<size_t>(object)] + (std::isfinite(redshift) ? fmt::format(" (z = {:.3f})", redshift) : "");
}

TestObjects read_test_objects(const record::RunFolder& folder) {
  TestObjects objects;
  if (!fs::exists(folder.objects())) return objects;
  const auto file = io::Hdf5File::open(folder.objects());
  const std::vector<int64_t> rows = all_rows(file, "object_id");
  const ObjectIds ids = file.read_ids("object_id", rows);
  IdNames names;
  names.add(ids);
  for (size_t i = 0; i < rows.size(); ++i) {
    objects.ids.push_back(names(ids.keys[i]));
    objects.places.emplace(ids.keys[i], rows[i]);
  }
  if (!file.contains("labels")) return objects;
  for (const std::string& name : file.datasets("labels")) {
    std::vector<double> values = doubles_in(file, "labels/" + name);
    if (values.size() != rows.size())
      throw Error(file.path() + ": 'labels/" + name + "' has not a number for each object");
    objects.labels[name] = std::move(values);
    if (std::string unit = file.attribute("unit of " + name); !unit.empty()) objects.units[name] = std::move(unit);
  }
  return objects;
}

std::vector<StoredPrediction> read_predictions(const RunResults& run, const TestObjects& objects) {
  std::vector<StoredPrediction> all;
  if (!fs::exists(run.folder.predictions())) return all;
  const auto file = io::Hdf5File::open(run.folder.predictions());
  for (const std::string& task : file.groups("")) {
    for (const std::string& label : file.groups(task)) {
      for (const std::string& modality : file.groups(task + "/" + label)) {
        for (const std::string& representation : file.groups(task + "/" + label + "/" + modality)) {
          const std::string above = task + "/" + label + "/" + modality + "/" + representation;
          for (const std::string& method : file.groups(above)) {
            StoredPrediction& one = all.emplace_back(read_prediction(file, above + "/" + method, objects));
            one.task = task;
            one.values.label = label, one.values.modality = modality, one.values.representation = representation;
            one.values.method = method;
            one.values.role = role_of(run, one.values);
          }
        }
      }
    }
  }
  return all;
}

}  // namespace astroclip::report
