// A ranking loss with a margin (DeViSE, Frome et al. 2013): each object's own partner should be nearer, by cosine, than
// any other object's, by at least the margin.
#include <api/pair_loss.h>
#include <ops/operators.h>
#include <plugin/record.h>

#include <algorithm>

namespace {

using namespace astroclip;

class MyLoss final : public PairLoss {
 public:
  struct Parameters : PairParameters {
    double margin = 0.2;
  };

  static const config::Schema<Parameters>& schema() {
    static const auto schema =
        pair_schema<Parameters>("Hinge on how much nearer an object's own partner is than the others.")
            .field("margin", &Parameters::margin, "difference of cosines from which a pair costs nothing",
                   config::between(0.0, 2.0))
            .example(R"(
[[stages]]
name = "alignment"
loss = { plugin = "my_loss", margin = 0.1 }
)");
    return schema;
  }

  explicit MyLoss(const Parameters& parameters) : PairLoss(parameters), margin_(parameters.margin) {}

 private:
  LossValue pair_loss(const Tower& a, const Tower& b, LossContext&) const override {
    const Tensor own = ops::sum(a.own * b.own, {1}, true);
    const Tensor total = (cost(a.own, b.all, own) + cost(b.own, a.all, own)) / 2;
    return {total, {{plugin_name(), total}, {"own_cosine", ops::mean(own.detach())}}};
  }

  /// Mean over the pairs of different objects of max(0, margin + cos(query, other) − cos(query, own)), for queries
  /// [B, E], all objects [N, E] and the cosines `own` [B, 1].
  Tensor cost(const Tensor& queries, const Tensor& all, const Tensor& own) const {
    const Tensor hinge = ops::relu(ops::matmul_nt(queries, all) - own + margin_);
    const auto rows = static_cast<double>(queries.size(0)), columns = static_cast<double>(all.size(0));
    // A query and its own partner cost the margin, whatever the embedding; that is no part of the loss.
    return (ops::sum(hinge) - rows * margin_) / std::max(rows * (columns - 1.0), 1.0);
  }

  double margin_;
};

}  // namespace

ASTROCLIP_PLUGIN(astroclip::Loss, MyLoss)
