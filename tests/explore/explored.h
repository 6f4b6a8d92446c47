#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "base/rng.h"
#include "data/dataset_adapter.h"
#include "data/fields.h"
#include "embed/inputs.h"
#include "io/output/row_file.h"
#include "support/program.h"
#include "support/scratch.h"

namespace astroclip::explore {

inline constexpr int64_t survey_galaxies = 40, vector_width = 12;
inline constexpr int64_t prism_pixels = 40;
inline constexpr int64_t without_spectrum = 3;  ///< every row that this divides

/// A small simulated survey, written once.
inline std::string survey_file() {
  const std::string path = testing_support::scratch("survey.h5");
  if (!std::filesystem::exists(path)) {
    const auto outcome = testing_support::run_program("simulate '" + path + "' --galaxies 40 --seed 5");
    EXPECT_EQ(outcome.status, 0) << outcome.err;
  }
  return path;
}

/// A survey with what the simulated one lacks: row r lies at right ascension 9 r and declination r − 20, and every
/// fourth row has no position; "kind" is a text; "nir" is another image [2, 20, 30], and "prism" another spectrum,
/// whose values are their own numbers.
class WithMore final : public data::DatasetAdapter {
 public:
  explicit WithMore(std::shared_ptr<const Dataset> objects) : DatasetAdapter(std::move(objects)) {}

  std::vector<Field> fields() const override {
    std::vector<Field> all = objects_->fields();
    all.push_back({"ra", DType::f64, {}, "deg", "right ascension"});
    all.push_back({"dec", DType::f64, {}, "deg", "declination"});
    all.push_back({"nir", DType::f32, {2, 20, 30}, "nJy", "image"});
    all.push_back({"nir_mask", DType::f32, {2, 20, 30}, "", "where it may be used"});
    all.push_back({"prism", DType::f32, {prism_pixels}, "Jy", "spectrum"});
    return all;
  }
  config::Table preprocessing() const override {
    config::Table all = objects_->preprocessing(), image, spectrum;
    image.set("bands", {std::string("JH"), {}});
    spectrum.set("first_wavelength", {6000.0, {}});
    spectrum.set("wavelength_step", {50.0, {}});
    all.set("nir", {image, {}});
    all.set("prism", {spectrum, {}});
    return all;
  }
  void read(Split split, std::span<const int64_t> rows, std::span<const std::string> names,
            HostBatch& out) const override {
    std::vector<std::string> others;
    for (const std::string& name : names) {
      if (name == "nir" || name == "prism") {
        HostArray array(data::field_of(*this, name), std::ssize(rows));
        const auto values = array.values<float>();
        for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i);
        out[name] = std::move(array);
        continue;
      }
      if (name != "ra" && name != "dec") {
        others.push_back(name);
        continue;
      }
      HostArray array(DType::f64, {std::ssize(rows)});
      for (size_t i = 0; i < rows.size(); ++i) {
        const auto row = static_cast<double>(rows[i]);
        array.values<double>()[i] = rows[i] % 4 == 0 ? std::nan("") : name == "ra" ? 9.0 * row : row - 20.0;
      }
      out[name] = std::move(array);
    }
    if (!others.empty()) objects_->read(split, rows, others, out);
  }
  std::vector<std::string> text_labels() const override { return {"kind"}; }
  std::vector<std::string> texts(Split, std::span<const int64_t> rows, const std::string&) const override {
    std::vector<std::string> all;
    for (const int64_t row : rows) all.emplace_back(row % 2 == 0 ? "even" : "");
    return all;
  }
};

inline std::vector<embed::Input> survey_inputs() {
  embed::Request request;
  request.inputs = {survey_file()};
  request.output = "none";
  std::vector<embed::Input> inputs = embed::open_inputs(request);
  for (embed::Input& input : inputs) input.objects = std::make_shared<WithMore>(input.objects);
  return inputs;
}

/// Vectors of row `row`, three groups of them.
inline std::vector<float> vector_of(int64_t row, const std::string& encoder) {
  Rng rng(encoder == "image" ? 1 : 2, RngStream::tests, 0, static_cast<uint64_t>(row));
  std::vector<float> vector;
  for (int64_t i = 0; i < vector_width; ++i) {
    vector.push_back(static_cast<float>(0.3 * rng.normal() + (i == row % 3 ? 1.0 : 0.0)));
  }
  if (encoder == "spectrum" && row % without_spectrum == 0)
    vector.assign(vector_width, std::numeric_limits<float>::quiet_NaN());
  return vector;
}

/// Embeddings with these identifiers.
inline std::string write_embeddings(const std::string& name, const std::vector<int64_t>& ids,
                                    const std::string& hash = "f00d") {
  const std::string path = testing_support::scratch(name);
  std::filesystem::remove(path);
  std::filesystem::remove(path + ".view");
  const auto rows = std::ssize(ids);
  io::RowFile file(path, {{"model", "model.safetensors"}, {"model_hash", hash}},
                   {{"image_embeddings", DType::f32, {vector_width}},
                    {"spectrum_embeddings", DType::f32, {vector_width}},
                    {"object_id", DType::i64, {}, IdKind::int64}},
                   rows);
  for (const std::string encoder : {"image", "spectrum"}) {
    std::vector<float> all;
    for (int64_t row = 0; row < rows; ++row) {
      const std::vector<float> vector = vector_of(row, encoder);
      all.insert(all.end(), vector.begin(), vector.end());
    }
    file.write(encoder + "_embeddings", 0, rows, all.data());
  }
  file.write("object_id", 0, rows, ids.data());
  file.commit(rows);
  file.finish();
  return path;
}

}  // namespace astroclip::explore
