#include <cmath>
#include <limits>

#include "backend/cpu/amx-inl.h"
#include "backend/cpu/attention.h"
#include "backend/cpu/attention_strips.h"
#include "backend/cpu/scratch.h"
#include "base/threads.h"

// Attention whose operands are bf16, for processors with AMX.
HWY_PUSH_ATTRIBUTES("avx512f,avx512bw,avx512dq,avx512vl,avx512bf16,amx-tile,amx-bf16")
namespace astroclip::cpu {

namespace {

using namespace bf16;  // NOLINT(google-build-using-namespace)
using namespace amx;   // NOLINT(google-build-using-namespace)

constexpr int64_t block = 128;  ///< keys and queries of a block of the gradient

int64_t bytes_of(DType dtype, int64_t rows, int64_t pitch) { return rows * pitch * size_of(dtype); }

/// Sizes of one head, padded to whole products.
struct ForwardLayout {
  explicit ForwardLayout(const AttentionArguments& a) : keys(padded(a.k.tokens)), width(padded(a.width)) {}
  int64_t keys, width;
};

struct ForwardWorkspace {
  explicit ForwardWorkspace(const ForwardLayout& l)
      : k(bytes_of(DType::bf16, l.keys, l.width)),
        v(bytes_of(DType::bf16, l.keys, l.width)),
        q(bytes_of(DType::bf16, square, l.width)),
        scores(bytes_of(DType::f32, square, l.keys)),
        weights(bytes_of(DType::bf16, square, l.keys)),
        y(bytes_of(DType::f32, square, l.width)) {}
  Scratch k, v, q, scores, weights, y;
};

/// One row's scores to unnormalised weights; gives the largest score and the sum of the weights.
std::pair<float, float> weigh(float* scores, int64_t keys, int64_t pitch, __m512 factor, BFloat16* weights) {
  const __m512 nothing = _mm512_set1_ps(-std::numeric_limits<float>::infinity());
  for (int64_t i = pitch - square; i < pitch; i += lanes) {
    _mm512_storeu_ps(scores + i, _mm512_mask_blend_ps(valid(keys - i), nothing, _mm512_loadu_ps(scores + i)));
  }
  __m512 top = nothing, next = nothing;
  for (int64_t i = 0; i < pitch; i += 2 * lanes) {
    top = _mm512_max_ps(top, _mm512_loadu_ps(scores + i));
    next = _mm512_max_ps(next, _mm512_loadu_ps(scores + i + lanes));
  }
  const float largest = _mm512_reduce_max_ps(_mm512_max_ps(top, next));
  const __m512 shift = _mm512_set1_ps(largest);
  __m512 sum = _mm512_setzero_ps(), other = sum;
  for (int64_t i = 0; i < pitch; i += 2 * lanes) {
    const __m512 low = power_of_two(_mm512_mul_ps(_mm512_sub_ps(_mm512_loadu_ps(scores + i), shift), factor));
    const __m512 high = power_of_two(_mm512_mul_ps(_mm512_sub_ps(_mm512_loadu_ps(scores + i + lanes), shift), factor));
    sum = _mm512_add_ps(sum, low);
    other = _mm512_add_ps(other, high);
    _mm512_storeu_si512(weights + i, reinterpret_cast<__m512i>(_mm512_cvtne2ps_pbh(high, low)));
  }
  return {largest, _mm512_reduce_add_ps(_mm512_add_ps(sum, other))};
}

template <class T>
void attend_square(const AttentionArguments& a, const ForwardLayout& layout, const ForwardWorkspace& work, int64_t rows,
                   const Strip<T>& at) {
  auto *q = work.q.as<BFloat16>(), *weights = work.weights.as<BFloat16>();
  auto *scores = work.scores.as<float>(), *y = work.y.as<float>();
  round_rows(at.q, at.q_stride, rows, a.width, q, square, layout.width);
  for (int64_t key = 0; key < layout.keys; key += square) {
    multiply({q, layout.width}, {work.k.as<BFloat16>() + key * layout.width, lanes * layout.width}, layout.width,
             scores + key, layout.keys, false);
  }
  float inverse[square];
  const __m512 factor = _mm512_set1_ps(static_cast<float>(a.scale / std::log(2.0)));
  for (int64_t r = 0; r < rows; ++r) {
    const auto [largest, total] =
        weigh(scores + r * layout.keys, a.k.tokens, layout.keys, factor, weights + r * layout.keys);
    inverse[r] = 1.0f / total;
    if (at.log_sum_exp != nullptr) at.log_sum_exp[r] = static_cast<float>(largest * a.scale + std::log(total));
  }
  for (int64_t column = 0; column < layout.width; column += square) {
    multiply({weights, layout.keys}, {work.v.as<BFloat16>() + column * layout.keys, lanes * layout.keys}, layout.keys,
             y + column, layout.width, false);
  }
  for (int64_t r = 0; r < rows; ++r) {
    for (int64_t i = 0; i < a.width; i += lanes) {
      store(at.y + r * at.y_stride + i, valid(a.width - i),
            _mm512_mul_ps(_mm512_loadu_ps(y + r * layout.width + i), _mm512_set1_ps(inverse[r])));
    }
  }
}

template <class T>
void attend_head(const AttentionArguments& a, const ForwardLayout& layout, const ForwardWorkspace& work, int64_t unit) {
  const int64_t batch = unit / a.heads, head = unit % a.heads;
  pack_rows(head_of<T>(a.k, batch, head, a.width), a.k.token_stride, a.k.tokens, a.width, work.k.as<BFloat16>(),
            layout.keys / lanes, layout.width / 2);
  pack_columns(head_of<T>(a.v, batch, head, a.width), a.v.token_stride, a.v.tokens, a.width, work.v.as<BFloat16>(),
               layout.width / lanes, layout.keys / 2);
  for_each_strip<T>(a, unit, square,
                    [&](int64_t rows, const Strip<T>& at) { attend_square(a, layout, work, rows, at); });
}

struct GradientLayout {
  explicit GradientLayout(const AttentionBackwardArguments& a)
      : queries(padded(a.q.tokens)), keys(padded(a.k.tokens)), width(padded(a.width)) {}
  int64_t queries, keys, width;
};

/// By their uses: `rows` are left operands, `across` and `along` right operands made by pack_rows and pack_columns.
/// Within a block scores lie as [keys, queries], so that weights and their gradients come out as left operands of dv
/// and dk, and pairs of their rows as the right operand of dqᵀ.
struct GradientWorkspace {
  explicit GradientWorkspace(const GradientLayout& l)
      : k_rows(bytes_of(DType::bf16, l.keys, l.width)),
        v_rows(bytes_of(DType::bf16, l.keys, l.width)),
        k_transposed(bytes_of(DType::bf16, l.width, l.keys)),
        q_across(bytes_of(DType::bf16, l.queries, l.width)),
        dy_across(bytes_of(DType::bf16, l.queries, l.width)),
        q_along(bytes_of(DType::bf16, l.queries, l.width)),
        dy_along(bytes_of(DType::bf16, l.queries, l.width)),
        scores(bytes_of(DType::f32, square, block)),
        dp(bytes_of(DType::f32, square, block)),
        p_rows(bytes_of(DType::bf16, block, block)),
        ds_rows(bytes_of(DType::bf16, block, block)),
        ds_along(bytes_of(DType::bf16, block, block)),
        dk(bytes_of(DType::f32, block, l.width)),
        dv(bytes_of(DType::f32, block, l.width)),
        dq_transposed(bytes_of(DType::f32, l.width, l.queries)),
        shift(bytes_of(DType::f32, 1, l.queries)),
        weighted(bytes_of(DType::f32, 1, l.queries)) {}
  Scratch k_rows, v_rows, k_transposed, q_across, dy_across, q_along, dy_along, scores, dp, p_rows, ds_rows, ds_along,
      dk, dv, dq_transposed, shift, weighted;
};

/// x [width, rows], its rows `pitch` apart, to y [rows, width].
template <class T>
void store_transposed(const float* x, int64_t pitch, int64_t rows, int64_t width, T* y, int64_t stride) {
  for (int64_t row = 0; row < rows; row += lanes) {
    for (int64_t column = 0; column < width; column += lanes) {
      __m512i part[lanes];
      for (int64_t i = 0; i < lanes; ++i) part[i] = _mm512_loadu_si512(x + (column + i) * pitch + row);
      transpose(part);
      for (int64_t i = 0; i < std::min(lanes, rows - row); ++i) {
        store(y + (row + i) * stride + column, valid(width - column), _mm512_castsi512_ps(part[i]));
      }
    }
  }
}

template <class T>
void store_rows(const float* x, int64_t pitch, int64_t rows, int64_t width, T* y, int64_t stride) {
  for (int64_t row = 0; row < rows; ++row) {
    for (int64_t i = 0; i < width; i += lanes) {
      store(y + row * stride + i, valid(width - i), _mm512_loadu_ps(x + row * pitch + i));
    }
  }
}

/// What a query's scores and gradients of weights are lowered by: log₂ Σ 2^score and dy·y. Past the last query the
/// weights are 0.
template <class T>
void prepare_queries(const AttentionBackwardArguments& a, const GradientLayout& layout, const GradientWorkspace& work,
                     int64_t unit) {
  const T* y = head_of<T>(a.y, unit / a.heads, unit % a.heads, a.width);
  const T* dy = head_of<T>(a.dy, unit / a.heads, unit % a.heads, a.width);
  const float* log_sum_exp = a.log_sum_exp.as<float>() + unit * a.q.tokens;
  auto *shift = work.shift.as<float>(), *weighted = work.weighted.as<float>();
  for (int64_t q = 0; q < layout.queries; ++q) {
    const bool there = q < a.q.tokens;
    __m512 sum = _mm512_setzero_ps();
    for (int64_t i = 0; there && i < a.width; i += lanes) {
      const __mmask16 present = valid(a.width - i);
      sum = _mm512_fmadd_ps(load(present, dy + q * a.dy.token_stride + i), load(present, y + q * a.y.token_stride + i),
                            sum);
    }
    weighted[q] = _mm512_reduce_add_ps(sum);
    shift[q] =
        there ? log_sum_exp[q] * static_cast<float>(1.0 / std::log(2.0)) : std::numeric_limits<float>::infinity();
  }
}

/// Weights and gradients of scores of 32 keys, of which `present` exist, and of `queries` queries.
void differentiate_scores(const AttentionBackwardArguments& a, const GradientWorkspace& work, int64_t key,
                          int64_t present, int64_t query, int64_t queries) {
  const __m512 scale = _mm512_set1_ps(static_cast<float>(a.scale));
  const __m512 factor = _mm512_set1_ps(static_cast<float>(a.scale / std::log(2.0)));
  const float *scores = work.scores.as<float>(), *dp = work.dp.as<float>();
  for (int64_t row = 0; row < square; row += 2) {
    for (int64_t i = 0; i < queries; i += lanes) {
      const __m512 shift = _mm512_loadu_ps(work.shift.as<float>() + query + i);
      const __m512 weighted = _mm512_loadu_ps(work.weighted.as<float>() + query + i);
      __m512 gradient[2];
      for (int64_t half = 0; half < 2; ++half) {
        const int64_t at = (row + half) * block + i, to = (key + row + half) * block + i;
        __m512 weight = power_of_two(_mm512_fmsub_ps(_mm512_loadu_ps(scores + at), factor, shift));
        gradient[half] = _mm512_mul_ps(_mm512_mul_ps(weight, scale), _mm512_sub_ps(_mm512_loadu_ps(dp + at), weighted));
        if (row + half >= present) weight = gradient[half] = _mm512_setzero_ps();
        _mm256_storeu_si256(reinterpret_cast<__m256i*>(work.p_rows.as<BFloat16>() + to),
                            reinterpret_cast<__m256i>(_mm512_cvtneps_pbh(weight)));
        _mm256_storeu_si256(reinterpret_cast<__m256i*>(work.ds_rows.as<BFloat16>() + to),
                            reinterpret_cast<__m256i>(_mm512_cvtneps_pbh(gradient[half])));
      }
      _mm512_storeu_si512(work.ds_along.as<BFloat16>() + i * block + (key + row) * lanes,
                          interleave(gradient[0], gradient[1]));
    }
  }
}

/// A block's share of dk and dv of its keys and of dqᵀ of its queries.
void differentiate_block(const AttentionBackwardArguments& a, const GradientLayout& layout,
                         const GradientWorkspace& work, int64_t key, int64_t query) {
  const int64_t keys = std::min(block, layout.keys - key), queries = std::min(block, layout.queries - query);
  const int64_t width = layout.width, across = lanes * width, along = lanes * layout.queries;
  for (int64_t k = 0; k < keys; k += square) {
    for (int64_t q = 0; q < queries; q += square) {
      const int64_t row = (key + k) * width, column = (query + q) * width;
      multiply({work.k_rows.as<BFloat16>() + row, width}, {work.q_across.as<BFloat16>() + column, across}, width,
               work.scores.as<float>() + q, block, false);
      multiply({work.v_rows.as<BFloat16>() + row, width}, {work.dy_across.as<BFloat16>() + column, across}, width,
               work.dp.as<float>() + q, block, false);
    }
    differentiate_scores(a, work, k, a.k.tokens - key - k, query, queries);
  }
  for (int64_t k = 0; k < keys; k += square) {
    for (int64_t i = 0; i < width; i += square) {
      const int64_t to = k * width + i, from = i * layout.queries + query * lanes;
      multiply({work.p_rows.as<BFloat16>() + k * block, block}, {work.dy_along.as<BFloat16>() + from, along}, queries,
               work.dv.as<float>() + to, width, query > 0);
      multiply({work.ds_rows.as<BFloat16>() + k * block, block}, {work.q_along.as<BFloat16>() + from, along}, queries,
               work.dk.as<float>() + to, width, query > 0);
    }
  }
  for (int64_t i = 0; i < width; i += square) {
    for (int64_t q = 0; q < queries; q += square) {
      multiply({work.k_transposed.as<BFloat16>() + i * layout.keys + key, layout.keys},
               {work.ds_along.as<BFloat16>() + q * block, lanes * block}, keys,
               work.dq_transposed.as<float>() + i * layout.queries + query + q, layout.queries, key > 0);
    }
  }
}

template <class T>
void differentiate_head(const AttentionBackwardArguments& a, const GradientLayout& layout,
                        const GradientWorkspace& work, int64_t unit) {
  const int64_t batch = unit / a.heads, head = unit % a.heads;
  const auto pack = [&](const HeadsView& x, const Scratch& across, const Scratch& along) {
    const T* from = head_of<T>(x, batch, head, a.width);
    pack_rows(from, x.token_stride, x.tokens, a.width, across.as<BFloat16>(), layout.queries / lanes, layout.width / 2);
    pack_columns(from, x.token_stride, x.tokens, a.width, along.as<BFloat16>(), layout.width / lanes,
                 layout.queries / 2);
  };
  const T *k = head_of<T>(a.k, batch, head, a.width), *v = head_of<T>(a.v, batch, head, a.width);
  pack(a.q, work.q_across, work.q_along);
  pack(a.dy, work.dy_across, work.dy_along);
  round_rows(k, a.k.token_stride, a.k.tokens, a.width, work.k_rows.as<BFloat16>(), layout.keys, layout.width);
  round_rows(v, a.v.token_stride, a.v.tokens, a.width, work.v_rows.as<BFloat16>(), layout.keys, layout.width);
  round_transposed(k, a.k.token_stride, a.k.tokens, a.width, work.k_transposed.as<BFloat16>(), layout.width,
                   layout.keys);
  prepare_queries<T>(a, layout, work, unit);
  for (int64_t key = 0; key < layout.keys; key += block) {
    for (int64_t query = 0; query < layout.queries; query += block) differentiate_block(a, layout, work, key, query);
    const int64_t rows = std::min(block, a.k.tokens - key);
    store_rows(work.dk.as<float>(), layout.width, rows, a.width,
               head_of<T>(a.dk, batch, head, a.width) + key * a.dk.token_stride, a.dk.token_stride);
    store_rows(work.dv.as<float>(), layout.width, rows, a.width,
               head_of<T>(a.dv, batch, head, a.width) + key * a.dv.token_stride, a.dv.token_stride);
  }
  store_transposed(work.dq_transposed.as<float>(), layout.queries, a.q.tokens, a.width,
                   head_of<T>(a.dq, batch, head, a.width), a.dq.token_stride);
}

}  // namespace

void attention_amx(const AttentionArguments& a) {
  const ForwardLayout layout(a);
  const auto attend = [&](const ForwardWorkspace& work, int64_t begin, int64_t end) {
    const Tiles tiles;
    for (int64_t unit = begin; unit < end; ++unit) {
      if (a.dtype == DType::bf16) {
        attend_head<BFloat16>(a, layout, work, unit);
      } else {
        attend_head<float>(a, layout, work, unit);
      }
    }
  };
  parallel_with<ForwardWorkspace>(a.batch * a.heads, forward_grain(a), attend, layout);
}

void attention_amx_backward(const AttentionBackwardArguments& a) {
  const GradientLayout layout(a);
  const auto differentiate = [&](const GradientWorkspace& work, int64_t begin, int64_t end) {
    const Tiles tiles;
    for (int64_t unit = begin; unit < end; ++unit) {
      if (a.dtype == DType::bf16) {
        differentiate_head<BFloat16>(a, layout, work, unit);
      } else {
        differentiate_head<float>(a, layout, work, unit);
      }
    }
  };
  parallel_with<GradientWorkspace>(a.batch * a.heads, backward_grain(a), differentiate, layout);
}

}  // namespace astroclip::cpu
HWY_POP_ATTRIBUTES
