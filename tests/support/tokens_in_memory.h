#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <numeric>
#include <span>
#include <utility>
#include <vector>

#include "api/task.h"
#include "base/rng.h"

namespace astroclip::testing_support {

/// Tokens of objects, one object's after another's.
class TokensInMemory final : public TokenReader {
 public:
  TokensInMemory(int64_t tokens, Matrix all) : tokens_(tokens), all_(std::move(all)) {}

  int64_t tokens() const override { return tokens_; }

  Matrix read(std::span<const int64_t> objects) const override {
    most_ = std::max(most_, std::ssize(objects));
    Matrix found{0, all_.columns};
    for (const int64_t object : objects) {
      std::vector<int64_t> rows(static_cast<size_t>(tokens_));
      std::iota(rows.begin(), rows.end(), object * tokens_);
      found.append(select_rows(all_, rows));
    }
    return found;
  }

  /// The most objects that were read at once.
  int64_t most() const { return most_; }

 private:
  int64_t tokens_;
  Matrix all_;
  mutable int64_t most_ = 0;
};

/// Objects whose label is in one token of eight alone, at a place of its own in each. It has a mark in the first
/// column and the label in the second; the others have noise there. Their mean is the features.
struct Marked {
  Vectors vectors;
  std::vector<double> labels;

  Marked(int64_t objects, Rng& rng) {
    constexpr int64_t tokens = 8, columns = 32;
    Matrix all{objects * tokens, columns}, means{objects, columns};
    for (int64_t object = 0; object < objects; ++object) {
      const int64_t marked = rng.below(tokens);
      labels.push_back(rng.normal());
      std::vector<float> mean(columns);
      for (int64_t token = 0; token < tokens; ++token) {
        const bool is_marked = token == marked;
        for (int64_t column = 0; column < columns; ++column) {
          double value = rng.normal();
          if (column == 0) value = is_marked ? 4.0 : 0.0;
          if (column == 1 && is_marked) value = labels.back();
          all.values.push_back(static_cast<float>(value));
          mean[static_cast<size_t>(column)] += static_cast<float>(value / tokens);
        }
      }
      means.values.insert(means.values.end(), mean.begin(), mean.end());
    }
    vectors = of_all(std::move(means));
    vectors.tokens = std::make_shared<TokensInMemory>(tokens, std::move(all));
  }
};

}  // namespace astroclip::testing_support
