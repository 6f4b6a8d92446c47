#include "evaluate/object_files.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <limits>
#include <set>

#include "io/hdf5/hdf5.h"
#include "io/output/durable_file.h"
#include "io/weights/safetensors.h"

namespace astroclip::evaluate {

namespace {

template <class T>
void write(io::Hdf5File& file, const std::string& name, DType dtype, const Shape& shape, const std::vector<T>& values) {
  file.make_dataset(name, dtype, shape);
  if (!values.empty()) file.write_rows(name, 0, shape[0], dtype, values.data());
}

void write(io::Hdf5File& file, const std::string& name, const Matrix& matrix) {
  write(file, name, DType::f32, {matrix.rows, matrix.columns}, matrix.values);
}

/// A row for each of so many objects, NaN without a vector.
Matrix of_each(const Vectors& vectors, int64_t objects) {
  const int64_t columns = vectors.values.columns;
  Matrix all{objects, columns,
             std::vector<float>(static_cast<size_t>(objects * columns), std::numeric_limits<float>::quiet_NaN())};
  for (int64_t row = 0; row < vectors.values.rows; ++row) {
    std::ranges::copy(vectors.values.row(row),
                      all.values.begin() + vectors.objects[static_cast<size_t>(row)] * columns);
  }
  return all;
}

/// A name as one step of a path.
std::string step(std::string name) {
  std::ranges::replace(name, '/', '_');
  return name;
}

}  // namespace

void write_embeddings(const std::string& path, const TaskInput& input,
                      const std::map<std::string, std::string>& attributes) {
  io::DurableFile durable(path);
  auto file = io::Hdf5File::create(durable.file());
  for (const auto& [name, text] : attributes) file.write_attribute(name, text);
  const auto write_split = [&](const std::string& group, const std::vector<int64_t>& ids,
                               Vectors Representation::*part) {
    file.write_ids(group + "/object_id", input.id_names.of(ids));
    for (const Representation& one : input.representations) {
      if (one.role != Role::model) continue;
      write(file, fmt::format("{}/{}_embeddings", group, one.modality), of_each(one.*part, std::ssize(ids)));
    }
  };
  write_split("train", input.train_ids, &Representation::train);
  write_split("test", input.test_ids, &Representation::test);
  file.close();
  durable.commit();
}

void write_predictions(const std::string& path, const std::map<std::string, std::vector<Prediction>>& predictions,
                       const IdNames& names) {
  io::DurableFile durable(path);
  auto file = io::Hdf5File::create(durable.file());
  std::set<std::string> groups;
  for (const auto& [task, all] : predictions) {
    for (const Prediction& one : all) {
      const std::string path_of = fmt::format("{}/{}/{}/{}/{}", task, step(one.label), step(one.modality),
                                              step(one.representation), step(one.method));
      std::string group = path_of;
      for (int number = 2; !groups.insert(group).second; ++number) group = fmt::format("{} {}", path_of, number);
      file.write_ids(group + "/object_id", names.of(one.ids));
      Shape shape = {std::ssize(one.ids)};
      if (!one.outputs.empty()) {
        shape = {std::ssize(one.ids), std::ssize(one.outputs)};
        file.write_ids(group + "/outputs", {IdKind::text, std::vector<int64_t>(one.outputs.size()), one.outputs});
      }
      write(file, group + "/truth", DType::f64, shape, one.truth);
      write(file, group + "/predicted", DType::f64, shape, one.predicted);
    }
  }
  file.close();
  durable.commit();
}

void write_probes(const std::string& folder, const std::map<std::string, std::vector<Prediction>>& predictions) {
  std::set<std::string> names;
  for (const auto& [task, all] : predictions) {
    for (const Prediction& one : all) {
      if (one.fitted.empty() || !one.metadata.contains("model_hash")) continue;
      const std::string plain =
          step(fmt::format("{} {} {} {} {}", task, one.label, one.modality, one.representation, one.method));
      std::string name = plain;
      for (int number = 2; !names.insert(name).second; ++number) name = fmt::format("{} {}", plain, number);
      io::make_folder(folder);
      io::write_safetensors(fmt::format("{}/{}.safetensors", folder, name), one.fitted, one.metadata);
    }
  }
}

}  // namespace astroclip::evaluate
