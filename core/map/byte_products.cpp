#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "map/byte_products.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "map/byte_products_internal.h"

HWY_BEFORE_NAMESPACE();
namespace astroclip::map::HWY_NAMESPACE {

namespace {

namespace hn = hwy::HWY_NAMESPACE;

/// Of so many queries at once, while a row's codes are at hand.
template <int together>
void products_of(const int8_t* codes, int64_t rows, int64_t pitch, const int16_t* queries, int32_t* out) {
  const hn::CappedTag<int16_t, code_lanes> words;
  const hn::Rebind<int8_t, decltype(words)> bytes;
  const hn::RepartitionToWide<decltype(words)> sums;
  const auto step = static_cast<int64_t>(hn::Lanes(words));
  for (int64_t row = 0; row < rows; ++row) {
    const int8_t* code = codes + row * pitch;
    hn::Vec<decltype(sums)> even[together], odd[together];
    for (int query = 0; query < together; ++query) even[query] = odd[query] = hn::Zero(sums);
    for (int64_t i = 0; i < pitch; i += step) {
      const auto values = hn::PromoteTo(words, hn::LoadU(bytes, code + i));
      for (int query = 0; query < together; ++query) {
        even[query] = hn::ReorderWidenMulAccumulate(sums, values, hn::LoadU(words, queries + query * pitch + i),
                                                    even[query], odd[query]);
      }
    }
    for (int query = 0; query < together; ++query) {
      out[query * rows + row] = hn::GetLane(hn::SumOfLanes(sums, hn::Add(even[query], odd[query])));
    }
  }
}

void all_products(const int8_t* codes, int64_t rows, int64_t pitch, const int16_t* queries, int64_t query_count,
                  int32_t* out) {
  int64_t query = 0;
  for (; query + 2 <= query_count; query += 2)
    products_of<2>(codes, rows, pitch, queries + query * pitch, out + query * rows);
  if (query < query_count) products_of<1>(codes, rows, pitch, queries + query * pitch, out + query * rows);
}

}  // namespace

}  // namespace astroclip::map::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace astroclip::map {

namespace {
HWY_EXPORT(all_products);
}  // namespace

void byte_products(const int8_t* codes, int64_t rows, int64_t pitch, const int16_t* queries, int64_t query_count,
                   int32_t* out) {
  HWY_DYNAMIC_DISPATCH(all_products)(codes, rows, pitch, queries, query_count, out);
}

}  // namespace astroclip::map
#endif
