#include "nn/head_config.h"

namespace astroclip::nn {

const config::Schema<HeadParameters>& head_schema() {
  using config::at_least;
  using config::between;
  static const auto schema =
      config::Schema<HeadParameters>("One learned query that pools the tokens by cross-attention, then an MLP.")
          .field("width", &HeadParameters::width, "width of query and embedding", between(1, 65536))
          .field("heads", &HeadParameters::heads, "attention heads; divides width", between(1, 1024))
          .field("hidden", &HeadParameters::hidden, "hidden width of the MLP; 0 means 4 · width", at_least(0))
          .field("dropout", &HeadParameters::dropout, "dropout on the attended value and on the MLP's output",
                 between(0.0, 0.99))
          .field("mlp_residual", &HeadParameters::mlp_residual, "x + mlp(x) rather than mlp(x)")
          .check([](const HeadParameters& head) {
            return head.width % head.heads == 0 ? "" : "'heads' must divide 'width'";
          });
  return schema;
}

CrossAttentionHead::Options head_options(const HeadParameters& head, int64_t tokens_width) {
  return {.tokens_width = tokens_width,
          .width = head.width,
          .heads = head.heads,
          .hidden = head.hidden > 0 ? head.hidden : 4 * head.width,
          .dropout = head.dropout,
          .mlp_residual = head.mlp_residual};
}

}  // namespace astroclip::nn
