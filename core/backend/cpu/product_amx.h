#pragma once

#include "backend/cpu/kernel.h"
#include "backend/cpu/scratch.h"

/// Products whose operands are bf16, on processors with AMX (onednn::has_amx).
namespace astroclip::cpu::amx {

enum class Side { left, right };

/// An operand of a product as AMX reads it: tiles of 32 terms and 16 lines, which are rows of a left operand and
/// columns of a right one, with zeros past the ends.
class TiledOperand {
 public:
  /// Of a matrix stored as [lines, terms] or, if its terms come first, [terms, lines]; float32, which is rounded, or
  /// bf16.
  TiledOperand(ConstView stored, bool terms_first, Side side);

  int64_t terms() const { return terms_; }
  int64_t lines() const { return lines_; }
  /// The tile of 32 terms from `term` and 16 lines from `line`. Those of the next terms follow it.
  const BFloat16* at(int64_t term, int64_t line) const;

 private:
  int64_t terms_, lines_;
  Scratch block_;
};

/// last.y = a b, with what else `last` says of its product: bias, activation, scale, residual, pre_activation. A sum
/// goes over its terms in their order, whatever the threads and the number of rows.
void product(const TiledOperand& a, const TiledOperand& b, const LinearArguments& last);

}  // namespace astroclip::cpu::amx
