#include <algorithm>
#include <cmath>
#include <vector>

#include "backend/reference/reference_backend.h"

namespace astroclip::reference {

namespace {

/// One (batch, head) of a strided operand as a matrix [tokens, width].
template <class T>
struct HeadMatrix {
  T* data;
  int64_t stride;
  T& operator()(int64_t token, int64_t i) const { return data[token * stride + i]; }
};

HeadMatrix<const double> head_of(const HeadsView& view, int64_t batch, int64_t head, int64_t width) {
  return {static_cast<const double*>(view.data) + batch * view.batch_stride + head * width, view.token_stride};
}

HeadMatrix<double> head_of(const MutableHeadsView& view, int64_t batch, int64_t head, int64_t width) {
  return {static_cast<double*>(view.data) + batch * view.batch_stride + head * width, view.token_stride};
}

/// Scaled scores of one query against every key.
std::vector<double> scores(HeadMatrix<const double> q, HeadMatrix<const double> k, int64_t query, int64_t keys,
                           int64_t width, double scale) {
  std::vector<double> row(static_cast<size_t>(keys), 0.0);
  for (int64_t s = 0; s < keys; ++s) {
    for (int64_t i = 0; i < width; ++i) row[s] += scale * q(query, i) * k(s, i);
  }
  return row;
}

void attend_head(const AttentionArguments& a, int64_t batch, int64_t head) {
  const auto q = head_of(a.q, batch, head, a.width);
  const auto k = head_of(a.k, batch, head, a.width);
  const auto v = head_of(a.v, batch, head, a.width);
  const auto y = head_of(a.y, batch, head, a.width);
  for (int64_t t = 0; t < a.q.tokens; ++t) {
    std::vector<double> row = scores(q, k, t, a.k.tokens, a.width, a.scale);
    const double top = *std::max_element(row.begin(), row.end());
    double sum = 0.0;
    for (double& value : row) sum += value = std::exp(value - top);
    if (a.log_sum_exp) {
      a.log_sum_exp.as<double>()[(batch * a.heads + head) * a.q.tokens + t] = top + std::log(sum);
    }
    for (int64_t i = 0; i < a.width; ++i) {
      double value = 0.0;
      for (int64_t s = 0; s < a.k.tokens; ++s) value += row[s] * v(s, i);
      y(t, i) = value / sum;
    }
  }
}

void attend_head_backward(const AttentionBackwardArguments& a, int64_t batch, int64_t head) {
  const auto q = head_of(a.q, batch, head, a.width);
  const auto k = head_of(a.k, batch, head, a.width);
  const auto v = head_of(a.v, batch, head, a.width);
  const auto dy = head_of(a.dy, batch, head, a.width);
  const auto dq = head_of(a.dq, batch, head, a.width);
  const auto dk = head_of(a.dk, batch, head, a.width);
  const auto dv = head_of(a.dv, batch, head, a.width);
  const int64_t keys = a.k.tokens;
  for (int64_t s = 0; s < keys; ++s) {
    for (int64_t i = 0; i < a.width; ++i) dk(s, i) = dv(s, i) = 0.0;
  }
  for (int64_t t = 0; t < a.q.tokens; ++t) {
    std::vector<double> p = scores(q, k, t, keys, a.width, a.scale);
    const double lse = a.log_sum_exp.as<double>()[(batch * a.heads + head) * a.q.tokens + t];
    for (double& value : p) value = std::exp(value - lse);
    std::vector<double> dp(static_cast<size_t>(keys), 0.0);
    double weighted = 0.0;
    for (int64_t s = 0; s < keys; ++s) {
      for (int64_t i = 0; i < a.width; ++i) {
        dp[s] += dy(t, i) * v(s, i);
        dv(s, i) += p[s] * dy(t, i);
      }
      weighted += p[s] * dp[s];
    }
    for (int64_t i = 0; i < a.width; ++i) dq(t, i) = 0.0;
    for (int64_t s = 0; s < keys; ++s) {
      const double dscore = a.scale * p[s] * (dp[s] - weighted);
      for (int64_t i = 0; i < a.width; ++i) {
        dq(t, i) += dscore * k(s, i);
        dk(s, i) += dscore * q(t, i);
      }
    }
  }
}

}  // namespace

void ReferenceBackend::attention(const AttentionArguments& arguments) {
  for (int64_t batch = 0; batch < arguments.batch; ++batch) {
    for (int64_t head = 0; head < arguments.heads; ++head) attend_head(arguments, batch, head);
  }
}

void ReferenceBackend::attention_backward(const AttentionBackwardArguments& arguments) {
  for (int64_t batch = 0; batch < arguments.batch; ++batch) {
    for (int64_t head = 0; head < arguments.heads; ++head) attend_head_backward(arguments, batch, head);
  }
}

}  // namespace astroclip::reference
