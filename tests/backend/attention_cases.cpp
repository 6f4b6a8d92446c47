#include <fmt/format.h>

#include <cmath>
#include <utility>

#include "backend/call.h"

namespace astroclip::test {

namespace {

struct AttentionExtents {
  int64_t batch, queries, keys, heads, width;
  bool together;  ///< q, k and v out of one product [batch, tokens, 3 · heads · width]
};

constexpr AttentionExtents attention_extents[] = {
    {1, 1, 1, 1, 1, true},      {2, 3, 3, 2, 5, true},      {2, 1, 131, 4, 16, false},   {1, 7, 33, 2, 17, false},
    {2, 17, 17, 3, 16, true},   {1, 33, 131, 2, 24, false}, {1, 128, 128, 2, 8, true},   {2, 131, 131, 2, 16, true},
    {1, 300, 300, 1, 33, true}, {2, 145, 145, 2, 64, true}, {1, 170, 139, 2, 85, false}, {3, 26, 26, 3, 64, true},
    {1, 50, 61, 1, 64, false},  {1, 20, 70, 1, 200, false}};

struct Operands {
  HeadsView q, k, v;
};

Operands operands(Call& call, const AttentionExtents& e, DType type) {
  const int64_t dim = e.heads * e.width, size = size_of(type);
  if (!e.together) {
    const ConstView q = call.random({e.batch, e.queries, dim}, type), k = call.random({e.batch, e.keys, dim}, type);
    const ConstView v = call.random({e.batch, e.keys, dim}, type);
    return {{q.data, e.queries, e.queries * dim, dim},
            {k.data, e.keys, e.keys * dim, dim},
            {v.data, e.keys, e.keys * dim, dim}};
  }
  const ConstView qkv = call.random({e.batch, e.keys, 3 * dim}, type);
  const auto part = [&](int64_t i) {
    return HeadsView{static_cast<const std::byte*>(qkv.data) + i * dim * size, e.keys, 3 * e.keys * dim, 3 * dim};
  };
  return {part(0), part(1), part(2)};
}

MutableHeadsView heads_output(Call& call, const char* name, const AttentionExtents& e, int64_t tokens, DType type) {
  const int64_t dim = e.heads * e.width;
  return {call.output(name, {e.batch, tokens, dim}, type).data, tokens, tokens * dim, dim};
}

AttentionArguments forward(Call& call, const AttentionExtents& e, bool keep, DType type) {
  AttentionArguments a;
  a.dtype = type;
  a.precision = call.precision;
  a.batch = e.batch;
  a.heads = e.heads;
  a.width = e.width;
  a.scale = 1.0 / std::sqrt(static_cast<double>(e.width));
  const Operands o = operands(call, e, type);
  a.q = o.q;
  a.k = o.k;
  a.v = o.v;
  a.y = heads_output(call, "y", e, e.queries, type);
  if (keep) a.log_sum_exp = call.output("log sum exp", {e.batch, e.heads, e.queries});
  call.backend.attention(a);
  return a;
}

/// Gradients lie in one buffer [batch, tokens, 3 · dim] where the operands do.
void backward(Call& call, const AttentionExtents& e, DType type) {
  const AttentionArguments f = forward(call, e, true, type);
  const int64_t dim = e.heads * e.width, size = size_of(type);
  AttentionBackwardArguments a;
  a.dtype = f.dtype;
  a.precision = f.precision;
  a.batch = f.batch;
  a.heads = f.heads;
  a.width = f.width;
  a.scale = f.scale;
  a.q = f.q;
  a.k = f.k;
  a.v = f.v;
  a.y = {f.y.data, f.y.tokens, f.y.batch_stride, f.y.token_stride};
  a.dy = {call.random({e.batch, e.queries, dim}, type).data, e.queries, e.queries * dim, dim};
  a.log_sum_exp = f.log_sum_exp;
  if (e.together) {
    const View all = call.output("dqkv", {e.batch, e.keys, 3 * dim}, type);
    const auto part = [&](int64_t i) {
      return MutableHeadsView{static_cast<std::byte*>(all.data) + i * dim * size, e.keys, 3 * e.keys * dim, 3 * dim};
    };
    a.dq = part(0);
    a.dk = part(1);
    a.dv = part(2);
  } else {
    a.dq = heads_output(call, "dq", e, e.queries, type);
    a.dk = heads_output(call, "dk", e, e.keys, type);
    a.dv = heads_output(call, "dv", e, e.keys, type);
  }
  call.backend.attention_backward(a);
}

struct PoolExtents {
  int64_t batch, tokens, heads, width;
};

/// Of one and of several pieces of an object's tokens; the last ones have no kernel of their own on a card.
constexpr PoolExtents pool_extents[] = {
    {1, 1, 1, 8},     {2, 1, 4, 64},   {3, 33, 4, 96},   {2, 131, 3, 136}, {1, 300, 4, 64}, {1, 150, 6, 32},
    {2, 45, 12, 200}, {2, 19, 4, 768}, {3, 26, 2, 1024}, {300, 3, 4, 16},  {1, 9, 1, 2560}, {2, 7, 0, 16},
    {0, 7, 2, 16},    {2, 0, 2, 16},   {2, 7, 2, 5},     {1, 20, 17, 64},  {1, 9, 16, 4096}};

AttentionPoolArguments pool(Call& call, const PoolExtents& e, bool keep, DType type) {
  const double bound = 2.0 / std::sqrt(static_cast<double>(e.width));
  AttentionPoolArguments a;
  a.tokens = call.random({e.batch, e.tokens, e.width}, type);
  a.queries = call.random({e.heads, e.width}, -bound, bound);
  a.y = call.output("y", {e.heads, e.batch, e.width});
  if (keep) a.weights = call.output("weights", {e.batch, e.heads, e.tokens});
  call.backend.attention_pool(a);
  return a;
}

void pool_backward(Call& call, const PoolExtents& e, bool of_queries, bool of_tokens, DType type) {
  const AttentionPoolArguments f = pool(call, e, true, type);
  AttentionPoolBackwardArguments a;
  a.dy = call.random(f.y.shape);
  a.tokens = f.tokens;
  a.queries = f.queries;
  a.y = f.y;
  a.weights = f.weights;
  if (of_queries) a.dqueries = call.output("dqueries", f.queries.shape);
  if (of_tokens) a.dtokens = call.output("dtokens", f.tokens.shape, type);
  call.backend.attention_pool_backward(a);
}

void add_pooling(std::vector<Case>& cases) {
  for (const PoolExtents& e : pool_extents) {
    for (const bool pooled : {false, true}) {
      const auto type = [=](const Call& call) {
        return pooled ? call.backend.pooled_dtype(call.precision) : call.dtype();
      };
      const std::string name = fmt::format("{} of {} tokens, {} queries of {}{}", e.batch, e.tokens, e.heads, e.width,
                                           pooled ? ", pooled" : "");
      for (const bool keep : {false, true}) {
        cases.push_back({"attention_pool", name + (keep ? ", kept" : ""), Exactness::sums,
                         [=](Call& call) { pool(call, e, keep, type(call)); }, true});
      }
      for (const auto& [of_queries, of_tokens] : {std::pair{true, false}, {false, true}, {true, true}}) {
        cases.push_back({"attention_pool_backward",
                         name + (of_queries ? ", queries" : "") + (of_tokens ? ", tokens" : ""), Exactness::sums,
                         [=](Call& call) { pool_backward(call, e, of_queries, of_tokens, type(call)); }, true});
      }
    }
  }
}

}  // namespace

std::vector<Case> attention_cases() {
  std::vector<Case> cases;
  add_pooling(cases);
  for (const AttentionExtents& e : attention_extents) {
    const auto label = fmt::format("{} of {} queries, {} keys, {} heads of {}{}", e.batch, e.queries, e.keys, e.heads,
                                   e.width, e.together ? ", together" : "");
    for (const bool stored : {false, true}) {
      const std::string name = label + (stored ? ", stored" : "");
      const auto type = [=](const Call& call) { return stored ? call.stored() : call.dtype(); };
      for (const bool keep : {false, true}) {
        cases.push_back({"attention", name + (keep ? ", kept" : ""), Exactness::sums,
                         [=](Call& call) { forward(call, e, keep, type(call)); }, true});
      }
      cases.push_back(
          {"attention_backward", name, Exactness::sums, [=](Call& call) { backward(call, e, type(call)); }, true});
    }
  }
  return cases;
}

}  // namespace astroclip::test
