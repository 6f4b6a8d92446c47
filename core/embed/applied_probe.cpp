#include "embed/applied_probe.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <limits>
#include <utility>

#include "base/error.h"
#include "base/finite.h"
#include "io/weights/weights_file.h"

namespace astroclip::embed {

AppliedProbe::AppliedProbe(std::string path, const EmbeddingKind& kind) : path_(std::move(path)) {
  probe::ProbeFile file = probe::read_probe(path_);
  const std::string model = file["model_hash"], embedding = file["embedding"];
  if (model != kind.model_hash) {
    throw Error(fmt::format("{}: was fitted on embeddings of the model {}; {} is the model {}", path_, model,
                            kind.model, kind.model_hash));
  }
  if (embedding != kind.embedding) {
    throw Error(fmt::format("{}: was fitted on embeddings that --embedding {} gives, not {}", path_, embedding,
                            kind.embedding));
  }
  encoder_ = file["encoder"];
  column_ = fmt::format("{}_{}_{}", encoder_, file.fitted.predicts, file.fitted.method);
  description_ = fmt::format("{}: {}, protocol {}, of {}; hash {}", column_, fmt::join(file.fitted.outputs, ", "),
                             file["protocol"], file["trained_on"], io::model_hash(file.fitted.tensors()));
  fitted_ = std::move(file.fitted);
}

io::RowFile::Column AppliedProbe::column() const {
  return {column_, DType::f64, outputs() == 1 ? Shape{} : Shape{outputs()}};
}

void AppliedProbe::check_width(int64_t width) const {
  const auto columns = std::ssize(fitted_.standardise.means());
  if (columns == width) return;
  throw Error(
      fmt::format("{}: takes vectors of {} columns; the embedding '{}' has {}", path_, columns, encoder_, width));
}

std::vector<double> AppliedProbe::predict(const Matrix& features) const {
  std::vector<int64_t> rows;
  for (int64_t row = 0; row < features.rows; ++row) {
    if (all_finite(features.row(row))) rows.push_back(row);
  }
  std::vector<double> all(static_cast<size_t>(features.rows * outputs()), std::numeric_limits<double>::quiet_NaN());
  if (rows.empty()) return all;
  Matrix usable = select_rows(features, rows);
  usable.rows *= fitted_.probe->vectors();
  usable.columns /= fitted_.probe->vectors();
  const std::vector<double> found = fitted_.predict(usable);
  for (size_t i = 0; i < rows.size(); ++i) {
    std::copy_n(found.begin() + static_cast<std::ptrdiff_t>(i) * outputs(), outputs(),
                all.begin() + rows[i] * outputs());
  }
  return all;
}

}  // namespace astroclip::embed
