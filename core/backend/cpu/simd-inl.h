// Vector helpers shared by the kernels, compiled once for each instruction set. Tails go through a padded vector,
// so an element's result does not depend on where in a row, or in which thread's share, it stands.
#if defined(ASTROCLIP_BACKEND_CPU_SIMD_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef ASTROCLIP_BACKEND_CPU_SIMD_INL_H
#undef ASTROCLIP_BACKEND_CPU_SIMD_INL_H
#else
#define ASTROCLIP_BACKEND_CPU_SIMD_INL_H
#endif

#include <hwy/highway.h>

#include <cstdint>
#include <cstring>

#include "tensor/dtype.h"

HWY_BEFORE_NAMESPACE();
namespace astroclip::cpu::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;
using Tag = hn::ScalableTag<float>;
using Vector = hn::Vec<Tag>;
inline constexpr int64_t lanes = static_cast<int64_t>(hn::MaxLanes(Tag()));

HWY_INLINE Vector set(float value) { return hn::Set(Tag(), value); }

/// `count` ≤ lanes elements from p; the rest is `filler`.
HWY_INLINE Vector load(const float* p, int64_t count, float filler = 0.0f) {
  const Tag tag;
  if (count == lanes) return hn::LoadU(tag, p);
  HWY_ALIGN float padded[lanes];
  for (int64_t i = 0; i < lanes; ++i) padded[i] = i < count ? p[i] : filler;
  return hn::Load(tag, padded);
}

HWY_INLINE void store(Vector v, float* p, int64_t count) {
  const Tag tag;
  if (count == lanes) return hn::StoreU(v, tag, p);
  HWY_ALIGN float padded[lanes];
  hn::Store(v, tag, padded);
  for (int64_t i = 0; i < count; ++i) p[i] = padded[i];
}

/// To bf16, nearest even, by integer arithmetic rather than the processor's own instruction, which flushes denormals:
/// the bits are then those of BFloat16's constructor everywhere.
HWY_INLINE void store(Vector v, BFloat16* p, int64_t count) {
  const hn::ScalableTag<uint32_t> words;
  const hn::Rebind<uint16_t, decltype(words)> halves;
  const hn::RebindToSigned<decltype(words)> signed_words;
  const auto word = hn::BitCast(words, v);
  const auto upper = hn::ShiftRight<16>(word);
  const auto odd = hn::And(upper, hn::Set(words, 1u));
  const auto rounded = hn::ShiftRight<16>(hn::Add(word, hn::Add(odd, hn::Set(words, 0x7FFFu))));
  const auto quiet = hn::Or(upper, hn::Set(words, 0x40u));
  const auto chosen = hn::IfThenElse(hn::RebindMask(words, hn::IsNaN(v)), quiet, rounded);
  const auto demoted = hn::DemoteTo(halves, hn::BitCast(signed_words, chosen));
  if (count == lanes) return hn::StoreU(demoted, halves, &p->bits);
  HWY_ALIGN uint16_t padded[lanes];
  hn::Store(demoted, halves, padded);
  for (int64_t i = 0; i < count; ++i) p[i].bits = padded[i];
}

HWY_INLINE Vector load(const BFloat16* p, int64_t count) {
  const hn::ScalableTag<uint32_t> words;
  const hn::Rebind<uint16_t, decltype(words)> halves;
  HWY_ALIGN uint16_t padded[lanes] = {};
  for (int64_t i = 0; count < lanes && i < count; ++i) padded[i] = p[i].bits;
  const auto bits = count == lanes ? hn::LoadU(halves, &p->bits) : hn::Load(halves, padded);
  return hn::BitCast(Tag(), hn::ShiftLeft<16>(hn::PromoteTo(words, bits)));
}

/// body(i, count) for consecutive pieces of at most one vector.
template <class Body>
HWY_INLINE void sweep(int64_t size, Body body) {
  int64_t i = 0;
  for (; i + lanes <= size; i += lanes) body(i, lanes);
  if (i < size) body(i, size - i);
}

/// Adds term(i, count) over a row into four running vectors, to hide the adder's latency; term pads with zero.
template <class Term>
HWY_INLINE float sum_of(int64_t size, Term term) {
  Vector s0 = set(0.0f), s1 = s0, s2 = s0, s3 = s0;
  int64_t i = 0;
  for (; i + 4 * lanes <= size; i += 4 * lanes) {
    s0 = hn::Add(s0, term(i, lanes));
    s1 = hn::Add(s1, term(i + lanes, lanes));
    s2 = hn::Add(s2, term(i + 2 * lanes, lanes));
    s3 = hn::Add(s3, term(i + 3 * lanes, lanes));
  }
  for (; i + lanes <= size; i += lanes) s0 = hn::Add(s0, term(i, lanes));
  if (i < size) s1 = hn::Add(s1, term(i, size - i));
  return hn::GetLane(hn::SumOfLanes(Tag(), hn::Add(hn::Add(s0, s1), hn::Add(s2, s3))));
}

HWY_INLINE float dot(const float* a, const float* b, int64_t size) {
  return sum_of(size, [=](int64_t i, int64_t n) HWY_ATTR { return hn::Mul(load(a + i, n), load(b + i, n)); });
}

/// The largest element; a NaN anywhere gives a NaN.
HWY_INLINE float max_of(const float* x, int64_t size) {
  constexpr float lowest = -3.402823466e38f;
  Vector top = set(lowest), poison = set(0.0f);
  sweep(size, [&](int64_t i, int64_t n) HWY_ATTR {
    const Vector v = load(x + i, n, lowest);
    top = hn::Max(top, v);
    poison = hn::IfThenElse(hn::IsNaN(v), v, poison);
  });
  const float largest = hn::GetLane(hn::MaxOfLanes(Tag(), top));
  return largest + hn::GetLane(hn::SumOfLanes(Tag(), poison));
}

/// e^x to about 1 ulp; 0 below the smallest normal number; NaN stays NaN.
HWY_INLINE Vector exp(Vector x) {
  const hn::RebindToSigned<Tag> integer;
  const Vector bounded = hn::Min(hn::Max(x, set(-88.0f)), set(90.0f));
  const Vector n = hn::Round(hn::Mul(bounded, set(1.44269504f)));
  // ln 2 in two parts, the first with few bits, so that the product is exact
  const Vector r = hn::NegMulAdd(n, set(-2.12194440e-4f), hn::NegMulAdd(n, set(0.693359375f), bounded));
  Vector p = set(1.0f / 5040.0f);
  p = hn::MulAdd(p, r, set(1.0f / 720.0f));
  p = hn::MulAdd(p, r, set(1.0f / 120.0f));
  p = hn::MulAdd(p, r, set(1.0f / 24.0f));
  p = hn::MulAdd(p, r, set(1.0f / 6.0f));
  p = hn::MulAdd(p, r, set(0.5f));
  p = hn::MulAdd(p, r, set(1.0f));
  p = hn::MulAdd(p, r, set(1.0f));
  // 2^n in two factors: n reaches past both ends of the exponent
  const auto whole = hn::ConvertTo(integer, n);
  const auto half = hn::ShiftRight<1>(whole);
  const auto rest = hn::Sub(whole, half);
  const auto bias = hn::Set(integer, 127);
  const Vector first = hn::BitCast(Tag(), hn::ShiftLeft<23>(hn::Add(half, bias)));
  const Vector second = hn::BitCast(Tag(), hn::ShiftLeft<23>(hn::Add(rest, bias)));
  const Vector value = hn::Mul(hn::Mul(p, first), second);
  const Vector flushed = hn::IfThenElse(hn::Lt(x, set(-87.336544f)), set(0.0f), value);
  return hn::IfThenElse(hn::IsNaN(x), x, flushed);
}

/// The standard normal distribution at x: its integral Φ(x) and its density times √2π, e^(−x²/2).
struct Normal {
  Vector integral;
  Vector bell;
};

/// Φ(−a) = e^(−a²/2) · t · Q(t), t = 3/(3 + a), a ≥ 0; Q is a Chebyshev fit of that quotient over a ≤ 13.3 with
/// relative error 1.2e-9, so that float32 rounding dominates and the tail keeps its relative precision.
HWY_INLINE Normal normal(Vector x) {
  const Vector a = hn::Abs(x);
  const Vector square = hn::Mul(a, a);
  const Vector rounding = hn::MulSub(a, a, square);
  Vector bell = exp(hn::Mul(square, set(-0.5f)));
  bell = hn::MulAdd(bell, hn::Mul(rounding, set(-0.5f)), bell);
  // Past this the square overflows and its rounding error is no number; the bell is zero anyway.
  bell = hn::IfThenElse(hn::Gt(a, set(1e4f)), set(0.0f), bell);
  const Vector t = hn::Div(set(3.0f), hn::Add(set(3.0f), a));
  Vector q = set(0.01871559287f);
  q = hn::MulAdd(q, t, set(-0.1161392372f));
  q = hn::MulAdd(q, t, set(0.2912186748f));
  q = hn::MulAdd(q, t, set(-0.3562684373f));
  q = hn::MulAdd(q, t, set(0.2040800227f));
  q = hn::MulAdd(q, t, set(-0.0874915499f));
  q = hn::MulAdd(q, t, set(0.07810995091f));
  q = hn::MulAdd(q, t, set(0.08293419575f));
  q = hn::MulAdd(q, t, set(0.118930744f));
  q = hn::MulAdd(q, t, set(0.1329275739f));
  q = hn::MulAdd(q, t, set(0.1329824698f));
  const Vector tail = hn::Mul(bell, hn::Mul(t, q));
  return {hn::IfThenElse(hn::Lt(x, set(0.0f)), tail, hn::Sub(set(1.0f), tail)), bell};
}

HWY_INLINE Vector gelu(Vector x) { return hn::Mul(x, normal(x).integral); }

}  // namespace astroclip::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // include guard per target
