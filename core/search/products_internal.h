#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "tensor/matrix.h"
#include "tensor/tensor.h"

/// What exact searches share: float32 products of centred rows with bounds on their errors, and the float64 sums that
/// decide where the bounds leave doubt.
namespace astroclip::search {

/// Rows that enter products, and columns of queries in a block of products.
inline constexpr int64_t row_block = 2048, query_block = 2048;
/// Products that are compared before a hit among them is looked for.
inline constexpr int64_t scan_width = 16;
/// Pairs of rows whose float64 sums are computed at once.
inline constexpr size_t sums_at_once = 8;

/// float32's and float64's unit roundoff.
inline constexpr double float_roundoff = 0x1p-24, double_roundoff = 0x1p-53;

/// Near the mean of the rows, from a sample; zero without a finite row. Any centre is right: the nearer, the smaller
/// the products and so the bounds.
std::vector<float> centre_of(const Matrix& rows);

/// The rows of a matrix, which must outlive it, less a centre.
class Centred {
 public:
  Centred(const Matrix& rows, std::vector<float> centre);

  const Matrix& matrix() const { return rows_; }
  int64_t rows() const { return rows_.rows; }
  int64_t columns() const { return rows_.columns; }
  /// ‖row − centre‖; infinite where the row is not finite.
  double norm(int64_t row) const { return norms_[static_cast<size_t>(row)]; }
  /// The largest finite norm of rows [begin, end).
  double largest_norm(int64_t begin, int64_t end) const;
  /// Rows [begin, end), times `scale`; zero where a row is not finite.
  Tensor block(int64_t begin, int64_t end, float scale) const;

 private:
  const Matrix& rows_;
  std::vector<float> centre_;
  std::vector<double> norms_;
};

/// A power of two that brings the norms of both near 1, where products neither overflow nor underflow.
float common_scale(const Centred& a, const Centred& b);

/// x wᵀ in float32: [rows of x, rows of w]. The packed form of w is kept with it.
Tensor products(const Tensor& x, const Tensor& w);

/// Bound on |p/scale² − a·b| for a product p of blocks of `scale`, whatever the order of its additions, from the
/// centred rows' norms: Higham, "Accuracy and Stability of Numerical Algorithms" (2002), 3.1, with centring and
/// underflow.
double product_error(int64_t columns, double norm_a, double norm_b, double scale);

/// Σᵢ term(pair, i) in float64 over the columns, of several pairs of rows at once, since an addition waits for the one
/// before it. Each sum is bit for bit that of a loop over one pair.
template <size_t pairs, class Term>
std::array<double, pairs> exact_sums(int64_t columns, Term term) {
  std::array<double, pairs> sums{};
  for (int64_t i = 0; i < columns; ++i) {
    for (size_t pair = 0; pair < pairs; ++pair) sums[pair] += term(pair, i);
  }
  return sums;
}

/// a·b in float64.
inline double exact_product(const float* a, const float* b, int64_t columns) {
  return exact_sums<1>(columns, [=](size_t, int64_t i) { return double{a[i]} * double{b[i]}; })[0];
}

}  // namespace astroclip::search
