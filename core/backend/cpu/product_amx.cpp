#include "backend/cpu/product_amx.h"

#include <algorithm>
#include <limits>

#include "backend/cpu/amx-inl.h"
#include "base/threads.h"

HWY_PUSH_ATTRIBUTES("avx512f,avx512bw,avx512dq,avx512vl,avx512bf16,amx-tile,amx-bf16")
namespace astroclip::cpu::amx {

namespace {

constexpr int64_t tile_elements = lanes * square, square_elements = square * square;
/// Multiplications that make a worthwhile share for one thread: more than without AMX, which takes longer for each.
constexpr int64_t grain = 8 * product_grain;
/// Elements of the right operand that stay in the second-level cache while all rows pass, and terms of one pass.
constexpr int64_t resident_elements = 384 * 1024, most_terms = 8192;

int64_t squares_of(int64_t size) { return padded(size) / square; }
int64_t blocks_of(int64_t lines) { return 2 * squares_of(lines); }

/// Of a matrix from the first of the tile's elements on, rows `pitch` apart.
template <class T>
void pack_tile(const T* x, int64_t pitch, int64_t terms, int64_t lines, bool terms_first, Side side, BFloat16* tile) {
  if (side == Side::left && terms_first) {
    round_transposed(x, pitch, terms, lines, tile, lanes, square);
  } else if (side == Side::left) {
    round_rows(x, pitch, lines, terms, tile, lanes, square);
  } else if (terms_first) {
    bf16::pack_columns(x, pitch, terms, lines, tile, 1, lanes);
  } else {
    bf16::pack_rows(x, pitch, lines, terms, tile, 1, lanes);
  }
}

template <class T>
void pack_tiles(const T* x, int64_t terms, int64_t lines, bool terms_first, Side side, BFloat16* tiles, int64_t begin,
                int64_t end) {
  const int64_t steps = squares_of(terms), blocks = blocks_of(lines), pitch = terms_first ? lines : terms;
  for (int64_t i = begin; i < end; ++i) {  // in the order of what is read
    const int64_t step = terms_first ? i / blocks : i % steps, block = terms_first ? i % blocks : i / steps;
    const int64_t term = step * square, line = block * lanes;
    BFloat16* tile = tiles + (block * steps + step) * tile_elements;
    if (line < lines) {
      const T* first = x + (terms_first ? term * pitch + line : line * pitch + term);
      pack_tile(first, pitch, terms - term, lines - line, terms_first, side, tile);
    } else {
      std::fill_n(tile, tile_elements, BFloat16());
    }
  }
}

/// Rows and columns of y from the first of a square on.
struct Place {
  int64_t row, rows, column, columns;
};

/// x += bias in each row of a square.
void add_bias(float* x, const float* bias, int64_t columns) {
  const __m512 low = _mm512_maskz_loadu_ps(bf16::valid(columns), bias);
  const __m512 high = _mm512_maskz_loadu_ps(bf16::valid(columns - lanes), bias + lanes);
  for (int64_t i = 0; i < square_elements; i += square) {
    _mm512_store_ps(x + i, _mm512_add_ps(_mm512_load_ps(x + i), low));
    _mm512_store_ps(x + i + lanes, _mm512_add_ps(_mm512_load_ps(x + i + lanes), high));
  }
}

/// y = scale · x + residual, both optional.
template <class T>
void store_square(const float* x, const Place& at, const float* scale, const float* residual, T* y, int64_t pitch) {
  for (int64_t half = 0; half < std::min(square, at.columns); half += lanes) {
    const __mmask16 present = bf16::valid(at.columns - half);
    const float* of_columns = scale + at.column + half;
    const __m512 factor = scale == nullptr ? _mm512_set1_ps(1.0f) : _mm512_maskz_loadu_ps(present, of_columns);
    for (int64_t r = 0; r < std::min(square, at.rows); ++r) {
      const int64_t to = (at.row + r) * pitch + at.column + half;
      __m512 value = _mm512_load_ps(x + r * square + half);
      if (residual != nullptr) {
        value = _mm512_fmadd_ps(value, factor, _mm512_maskz_loadu_ps(present, residual + to));
      } else if (scale != nullptr) {
        value = _mm512_mul_ps(value, factor);
      }
      bf16::store(y + to, present, value);
    }
  }
}

void store_square(const float* x, const Place& at, const float* scale, const float* residual, const View& y) {
  const int64_t pitch = y.shape[-1];
  if (y.dtype == DType::bf16) {
    store_square(x, at, scale, residual, y.as<BFloat16>(), pitch);
  } else {
    store_square(x, at, scale, residual, y.as<float>(), pitch);
  }
}

/// From sums to results.
void finish(float* sums, const Place& at, const LinearArguments& last) {
  if (last.bias) add_bias(sums, last.bias.as<float>() + at.column, at.columns);
  if (last.pre_activation) store_square(sums, at, nullptr, nullptr, last.pre_activation);
  if (last.activation != Activation::none) activate(last.activation, sums, nullptr, sums, square_elements);
  store_square(sums, at, last.scale.as<float>(), last.residual.as<float>(), last.y);
}

/// How many threads share the rows, and how many the columns, so that the largest share is small. Of equal ones that
/// with most shares of rows: threads of one core then have the same columns of b in its cache.
struct Grid {
  int64_t rows = 1, columns = 1;
  Grid(int64_t row_squares, int64_t column_squares, int64_t terms) {
    const int64_t multiplications = row_squares * column_squares * square_elements * terms;
    const int64_t threads = std::clamp<int64_t>(multiplications / grain, 1, compute_threads());
    int64_t smallest = std::numeric_limits<int64_t>::max();
    for (int64_t of_rows = threads; of_rows >= 1; --of_rows) {
      const int64_t of_columns = threads / of_rows;
      const int64_t share = ((row_squares + of_rows - 1) / of_rows) * ((column_squares + of_columns - 1) / of_columns);
      if (share >= smallest) continue;
      smallest = share;
      rows = of_rows;
      columns = of_columns;
    }
  }
};

/// A product's operands, and sums of squares that lie between passes over terms.
struct Problem {
  const TiledOperand &a, &b;
  const LinearArguments& last;
  float* sums;

  /// Rows and columns as squares.
  void run(int64_t row_begin, int64_t row_end, int64_t column_begin, int64_t column_end) const {
    const Tiles tiles;
    const int64_t all_terms = padded(a.terms());
    for (int64_t term = 0; term < all_terms; term += most_terms) {
      const int64_t terms = std::min(most_terms, all_terms - term);
      const int64_t at_once = std::max<int64_t>(1, resident_elements / (terms * square));
      for (int64_t column = column_begin; column < column_end; column += at_once) {
        for (int64_t row = row_begin; row < row_end; ++row) {
          for (int64_t i = column; i < std::min(column + at_once, column_end); ++i) {
            run_square(row, i, term, terms, all_terms);
          }
        }
      }
    }
  }

 private:
  void run_square(int64_t row, int64_t column, int64_t term, int64_t terms, int64_t all_terms) const {
    alignas(64) float own[square_elements];
    float* c = sums == nullptr ? own : sums + (row * squares_of(b.lines()) + column) * square_elements;
    const int64_t next_block = lanes * all_terms;
    multiply({a.at(term, row * square), square, tile_elements, next_block}, {b.at(term, column * square), next_block},
             terms, c, square, term > 0);
    if (term + terms < all_terms) return;
    finish(c, {row * square, a.lines() - row * square, column * square, b.lines() - column * square}, last);
  }
};

}  // namespace

TiledOperand::TiledOperand(ConstView stored, bool terms_first, Side side)
    : terms_(stored.shape[terms_first ? -2 : -1]),
      lines_(stored.shape[terms_first ? -1 : -2]),
      block_(padded(terms_) * padded(lines_) * size_of(DType::bf16)) {
  const int64_t tiles = squares_of(terms_) * blocks_of(lines_);
  parallel_for(tiles, elementwise_grain / tile_elements, [&](int64_t begin, int64_t end) {
    if (stored.dtype == DType::bf16) {
      pack_tiles(stored.as<BFloat16>(), terms_, lines_, terms_first, side, block_.as<BFloat16>(), begin, end);
    } else {
      pack_tiles(stored.as<float>(), terms_, lines_, terms_first, side, block_.as<BFloat16>(), begin, end);
    }
  });
}

const BFloat16* TiledOperand::at(int64_t term, int64_t line) const {
  return block_.as<BFloat16>() + line * padded(terms_) + term * lanes;
}

void product(const TiledOperand& a, const TiledOperand& b, const LinearArguments& last) {
  const int64_t rows = squares_of(a.lines()), columns = squares_of(b.lines());
  const Scratch sums(a.terms() > most_terms ? rows * columns * square_elements * size_of(DType::f32) : 0);
  const Problem problem{a, b, last, sums.as<float>()};
  const Grid grid(rows, columns, a.terms());
  parallel_for(grid.rows * grid.columns, 1, [&](int64_t begin, int64_t end) {
    for (int64_t part = begin; part < end; ++part) {
      const int64_t i = part % grid.rows, j = part / grid.rows;
      problem.run(rows * i / grid.rows, rows * (i + 1) / grid.rows, columns * j / grid.columns,
                  columns * (j + 1) / grid.columns);
    }
  });
}

}  // namespace astroclip::cpu::amx
HWY_POP_ATTRIBUTES
