#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <limits>
#include <string>
#include <vector>

#include "base/rng.h"
#include "embed/inputs.h"
#include "io/output/row_file.h"
#include "support/program.h"
#include "support/scratch.h"

namespace astroclip::explore {

inline constexpr int64_t survey_galaxies = 40, vector_width = 12;
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

inline std::vector<embed::Input> survey_inputs() {
  embed::Request request;
  request.inputs = {survey_file()};
  request.output = "none";
  return embed::open_inputs(request);
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
