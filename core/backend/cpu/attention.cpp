#include "backend/cpu/attention_tiles.h"
#include "backend/cpu/kernels_internal.h"
#include "backend/cpu/scratch.h"
#include "base/threads.h"

namespace astroclip::cpu {

namespace {

constexpr int64_t query_tile = 160;  // one tile for an image of 145 tokens

/// Products and packings of one head; every head is alike.
struct Plan {
  explicit Plan(const AttentionArguments& a) : pitch(score_pitch(a.k.tokens)) {
    const auto whole = [&](int64_t tile) { return score_spec(a, tile); };
    const auto mixing = [&](int64_t tile) { return mix_spec(a, tile); };
    const int64_t typical = std::min(a.q.tokens, query_tile);
    pack_k = onednn::packer_of(whole(typical), DType::f32);
    pack_v = onednn::packer_of(mixing(typical), DType::f32);
    score = tile_products(a.q.tokens, query_tile, [&](int64_t tile) { return packed(whole(tile), *pack_k); });
    mix = tile_products(a.q.tokens, query_tile, [&](int64_t tile) { return packed(mixing(tile), *pack_v); });
    tool_bytes =
        std::max({score.scratch_bytes(), mix.scratch_bytes(), pack_k->scratch_bytes(), pack_v->scratch_bytes()});
  }

  onednn::ProductSpec score_spec(const AttentionArguments& a, int64_t tile) const {
    auto spec = head_product(tile, a.k.tokens, a.width, a.q.token_stride, a.k.token_stride, pitch, DType::f32);
    spec.transpose_b = true;
    return spec;
  }
  onednn::ProductSpec mix_spec(const AttentionArguments& a, int64_t tile) const {
    return head_product(tile, a.width, a.k.tokens, pitch, a.v.token_stride, a.y.token_stride, DType::f32);
  }
  static onednn::ProductSpec packed(onednn::ProductSpec spec, const onednn::Packer& packer) {
    spec.layout = packer.layout();
    spec.transpose_b = false;
    spec.b_pitch = 0;
    return spec;
  }

  int64_t pitch;
  std::shared_ptr<const onednn::Packer> pack_k, pack_v;
  TileProducts score, mix;
  int64_t tool_bytes = 0;
};

/// One thread's buffers.
struct Workspace {
  explicit Workspace(const Plan& plan)
      : k(plan.pack_k->bytes()),
        v(plan.pack_v->bytes()),
        scores(query_tile * plan.pitch * static_cast<int64_t>(sizeof(float))),
        tools(plan.tool_bytes) {}
  Scratch k, v, scores, tools;
  float inverse_sums[query_tile] = {};
};

void attend_head(const AttentionArguments& a, const Plan& plan, Workspace& work, int64_t batch, int64_t head) {
  const float* q = head_of(a.q, batch, head, a.width);
  float* y = head_of(a.y, batch, head, a.width);
  float* log_sum_exp = a.log_sum_exp ? a.log_sum_exp.as<float>() + (batch * a.heads + head) * a.q.tokens : nullptr;
  float* scores = work.scores.as<float>();
  plan.pack_k->run(head_of(a.k, batch, head, a.width), work.k.data(), work.tools.data());
  plan.pack_v->run(head_of(a.v, batch, head, a.width), work.v.data(), work.tools.data());
  for (int64_t begin = 0; begin < a.q.tokens; begin += query_tile) {
    const int64_t rows = std::min(query_tile, a.q.tokens - begin);
    plan.score.of(rows).run(q + begin * a.q.token_stride, work.k.data(), scores, nullptr, nullptr, work.tools.data());
    exponentiate_tile(scores, rows, a.k.tokens, a.scale, work.inverse_sums,
                      log_sum_exp == nullptr ? nullptr : log_sum_exp + begin);
    float* out = y + begin * a.y.token_stride;
    plan.mix.of(rows).run(scores, work.v.data(), out, nullptr, nullptr, work.tools.data());
    // Dividing here costs `width` operations a row instead of one for each key.
    scale_tile(out, a.y.token_stride, rows, a.width, work.inverse_sums);
  }
}

}  // namespace

void attention(const AttentionArguments& a) {
  expect_f32(ConstView(a.q.data, {}, a.dtype), "attention");
  if (a.batch * a.heads * a.q.tokens * a.k.tokens * a.width == 0) return;
  if (a.q.tokens <= few_queries) return attention_few(a);
  if (a.precision == Precision::bf16) return attention_bf16(a);
  const Plan plan(a);
  const auto attend = [&](Workspace& work, int64_t begin, int64_t end) {
    for (int64_t unit = begin; unit < end; ++unit) attend_head(a, plan, work, unit / a.heads, unit % a.heads);
  };
  parallel_with<Workspace>(a.batch * a.heads, 1, attend, plan);
}

}  // namespace astroclip::cpu
