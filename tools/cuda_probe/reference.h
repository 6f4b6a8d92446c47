// Plain double-precision kernels that fast ones are checked against: slow, and nothing else to them.
#pragma once

#include "heads.h"

namespace reference {

/// Attention of the first `pairs` of (image, head), from [batch, tokens, 3 · heads · width].
struct Attention {
  Buffer<double> y;           ///< [pairs, tokens, width]
  Buffer<double> log_sums;    ///< [pairs, tokens]
  Buffer<double> dq, dk, dv;  ///< as y
};
/// dy may be null: then without gradients.
template <class T>
Attention attention(const HeadShape& shape, const T* qkv, const T* dy, int64_t pairs);
/// The same pairs' numbers from rows of `row` numbers, to be compared.
template <class T>
Buffer<T> gather_heads(const HeadShape& shape, const T* from, int64_t row, int64_t pairs);

/// A convolution of arrays [batch, side, side, in], [out, window, window, in] and [batch, out_side, out_side, out].
struct Convolution {
  int64_t batch = 0, side = 0, in = 0, out = 0, window = 1, stride = 1, padding = 0;

  int64_t out_side() const { return (side + 2 * padding - window) / stride + 1; }
  int64_t x_count() const { return batch * side * side * in; }
  int64_t weight_count() const { return out * window * window * in; }
  int64_t y_count() const { return batch * out_side() * out_side() * out; }
  double operations() const { return 2.0 * static_cast<double>(y_count() * window * window * in); }
};
enum class Pass { forward, dx, dw };
/// The result's numbers at `places`. `a` and `b` are what the pass reads: x and weight, dy and weight, x and dy.
template <class T>
Buffer<double> convolution(const Convolution& c, Pass pass, const T* a, const T* b, const Buffer<int64_t>& places);
template <class T>
Buffer<T> gather(const T* from, const Buffer<int64_t>& places);
/// `count` places spread over [0, size).
Buffer<int64_t> some_places(int64_t size, int64_t count);

}  // namespace reference
