// A ranking loss with a margin (DeViSE, Frome et al. 2013): each object's own partner should be nearer, by cosine, than
// any other object's, by at least the margin.
#include <api/contrastive.h>
#include <api/two_towers.h>
#include <ops/ops.h>
#include <plugin/record.h>

#include <algorithm>

namespace {

using namespace astroclip;

class MyLoss final : public Loss {
 public:
  struct Parameters {
    double margin = 0.2;
    bool augment = true;
  };

  static const config::Schema<Parameters>& schema() {
    static const auto schema =
        config::Schema<Parameters>("Hinge on how much nearer an object's own partner is than the others.")
            .field("margin", &Parameters::margin, "difference of cosines from which a pair costs nothing",
                   config::between(0.0, 2.0))
            .field("augment", &Parameters::augment, "encode the dataset's augmented views")
            .example(R"(
[[stages]]
name = "alignment"
loss = { plugin = "my_loss", margin = 0.1 }
)");
    return schema;
  }

  explicit MyLoss(const Parameters& parameters) : p_(parameters) {}

  std::vector<ViewRequest> views(const LossSetup& setup) const override { return view_of_each(setup, p_.augment); }

  void attach(LossSetup& setup) override { views_ = two_aligned_modalities(setup, "my_loss"); }

  LossValue forward(LossContext& context) override {
    const UnitPair pair = embed_unit_pair(context, views_);
    const Tensor own = ops::sum(ops::multiply(pair.a, pair.b), {1}, true);
    const Tensor total = ops::affine(ops::add(cost(pair.a, pair.all_b, own), cost(pair.b, pair.all_a, own)), 0.5);
    return {total, {{"my_loss", total}, {"own_cosine", ops::mean(own.detach())}}};
  }

 private:
  /// Mean over the pairs of different objects of max(0, margin + cos(query, other) − cos(query, own)), for queries
  /// [B, E], all objects [N, E] and the cosines `own` [B, 1].
  Tensor cost(const Tensor& queries, const Tensor& all, const Tensor& own) const {
    const auto rows = static_cast<double>(queries.size(0)), columns = static_cast<double>(all.size(0));
    const Tensor cosines = ops::matmul(queries, all, false, true);
    const Tensor hinge = ops::relu(ops::affine(ops::subtract(cosines, own), 1.0, p_.margin));
    // A query and its own partner cost the margin, whatever the embedding; that is no part of the loss.
    const double pairs = std::max(rows * (columns - 1.0), 1.0);
    return ops::affine(ops::sum(hinge), 1.0 / pairs, -rows * p_.margin / pairs);
  }

  Parameters p_;
  std::vector<std::string> views_;
};

}  // namespace

ASTROCLIP_PLUGIN(astroclip::Loss, MyLoss)
