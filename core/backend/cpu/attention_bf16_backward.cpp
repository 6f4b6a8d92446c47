#include "backend/cpu/attention.h"
#include "backend/cpu/attention_tiles.h"
#include "backend/cpu/scratch.h"
#include "base/threads.h"

namespace astroclip::cpu {

namespace {

constexpr int64_t query_tile = 128;

/// Products and packings of one head, whose operands are rounded to bf16. With p the probabilities and s the scores of
/// a tile of queries: s = q kᵀ, dp = dy vᵀ, dv += pᵀ dy, dk += dsᵀ q, dq = ds k.
struct Plan {
  explicit Plan(const AttentionBackwardArguments& a) : pitch(score_pitch(a.k.tokens)) {
    const int64_t queries = a.q.tokens, keys = a.k.tokens, width = a.width;
    const int64_t typical = std::min(queries, query_tile);
    const auto score_spec = [&](int64_t tile, int64_t right) {
      auto spec = head_product(tile, keys, width, width, right, pitch);
      spec.transpose_b = true;
      return spec;
    };
    const auto dq_spec = [&](int64_t tile) {
      return head_product(tile, width, keys, pitch, a.k.token_stride, a.dq.token_stride);
    };
    const auto gather_spec = [&](int64_t tile, int64_t out, bool first) {
      auto spec = head_product(keys, width, tile, pitch, width, out);
      spec.transpose_a = true;
      spec.sum = first ? onednn::Sum::nothing : onednn::Sum::itself;
      return spec;
    };
    pack_kt = onednn::packer_of(score_spec(typical, a.k.token_stride), DType::f32);
    pack_vt = onednn::packer_of(score_spec(typical, a.v.token_stride), DType::f32);
    pack_k = onednn::packer_of(dq_spec(typical), DType::f32);
    score = tile_products(queries, query_tile, [&](int64_t n) { return packed(score_spec(n, 0), *pack_kt); });
    dp = tile_products(queries, query_tile, [&](int64_t n) { return packed(score_spec(n, 0), *pack_vt); });
    dq = tile_products(queries, query_tile, [&](int64_t n) { return packed(dq_spec(n), *pack_k); });
    for (const bool first : {false, true}) {
      dk[first] =
          tile_products(queries, query_tile, [&](int64_t n) { return gather_spec(n, a.dk.token_stride, first); });
      dv[first] =
          tile_products(queries, query_tile, [&](int64_t n) { return gather_spec(n, a.dv.token_stride, first); });
    }
    tool_bytes = std::max({score.scratch_bytes(), dp.scratch_bytes(), dq.scratch_bytes(), dk[0].scratch_bytes(),
                           dk[1].scratch_bytes(), dv[0].scratch_bytes(), dv[1].scratch_bytes(),
                           pack_kt->scratch_bytes(), pack_vt->scratch_bytes(), pack_k->scratch_bytes()});
  }

  static onednn::ProductSpec packed(onednn::ProductSpec spec, const onednn::Packer& packer) {
    spec.layout = packer.layout();
    spec.transpose_b = false;
    spec.b_pitch = 0;
    return spec;
  }

  int64_t pitch;
  std::shared_ptr<const onednn::Packer> pack_kt, pack_vt, pack_k;
  TileProducts score, dp, dq, dk[2], dv[2];  // the last two by whether the tile is the first
  int64_t tool_bytes = 0;
};

/// One thread's buffers.
struct Workspace {
  Workspace(const Plan& plan, int64_t width)
      : kt(plan.pack_kt->bytes()),
        vt(plan.pack_vt->bytes()),
        k(plan.pack_k->bytes()),
        scores(query_tile * plan.pitch * size_of(DType::f32)),
        dp(query_tile * plan.pitch * size_of(DType::f32)),
        q(query_tile * width * size_of(DType::bf16)),
        dy(query_tile * width * size_of(DType::bf16)),
        rounded(query_tile * plan.pitch * size_of(DType::bf16)),
        tools(plan.tool_bytes) {}
  Scratch kt, vt, k, scores, dp, q, dy, rounded, tools;
};

/// A tile's rows rounded into `space`.
const void* rounded(const float* x, int64_t x_pitch, const Scratch& space, int64_t width, int64_t rows) {
  round_rows_to_bf16(x, x_pitch, space.as<BFloat16>(), width, width, rows);
  return space.data();
}

void differentiate_head(const AttentionBackwardArguments& a, const Plan& plan, const Workspace& work, int64_t batch,
                        int64_t head) {
  const float* q = head_of(a.q, batch, head, a.width);
  const float* k = head_of(a.k, batch, head, a.width);
  const float* y = head_of(a.y, batch, head, a.width);
  const float* dy = head_of(a.dy, batch, head, a.width);
  float* dq = head_of(a.dq, batch, head, a.width);
  float* dk = head_of(a.dk, batch, head, a.width);
  float* dv = head_of(a.dv, batch, head, a.width);
  const float* log_sum_exp = a.log_sum_exp.as<float>() + (batch * a.heads + head) * a.q.tokens;
  float *scores = work.scores.as<float>(), *dp = work.dp.as<float>();
  void* tools = work.tools.data();
  plan.pack_kt->run(k, work.kt.data(), tools);
  plan.pack_vt->run(head_of(a.v, batch, head, a.width), work.vt.data(), tools);
  plan.pack_k->run(k, work.k.data(), tools);
  for (int64_t begin = 0; begin < a.q.tokens; begin += query_tile) {
    const int64_t rows = std::min(query_tile, a.q.tokens - begin);
    const bool first = begin == 0;
    const float* dy_rows = dy + begin * a.dy.token_stride;
    const void* q_tile = rounded(q + begin * a.q.token_stride, a.q.token_stride, work.q, a.width, rows);
    const void* dy_tile = rounded(dy_rows, a.dy.token_stride, work.dy, a.width, rows);
    plan.score.of(rows).run(q_tile, work.kt.data(), scores, {}, tools);
    plan.dp.of(rows).run(dy_tile, work.vt.data(), dp, {}, tools);
    differentiate_tile(scores, dp, rows, a.k.tokens, a.scale, log_sum_exp + begin, dy_rows, a.dy.token_stride,
                       y + begin * a.y.token_stride, a.y.token_stride, a.width);
    const void* p_tile = rounded(scores, plan.pitch, work.rounded, plan.pitch, rows);
    plan.dv[first].of(rows).run(p_tile, dy_tile, dv, {}, tools);
    const void* ds_tile = rounded(dp, plan.pitch, work.rounded, plan.pitch, rows);
    plan.dk[first].of(rows).run(ds_tile, q_tile, dk, {}, tools);
    plan.dq.of(rows).run(ds_tile, work.k.data(), dq + begin * a.dq.token_stride, {}, tools);
  }
}

}  // namespace

void attention_bf16_backward(const AttentionBackwardArguments& a) {
  const Plan plan(a);
  const auto differentiate = [&](const Workspace& work, int64_t begin, int64_t end) {
    for (int64_t unit = begin; unit < end; ++unit) differentiate_head(a, plan, work, unit / a.heads, unit % a.heads);
  };
  parallel_with<Workspace>(a.batch * a.heads, backward_grain(a), differentiate, plan, a.width);
}

}  // namespace astroclip::cpu
