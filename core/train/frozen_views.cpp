#include "train/frozen_views.h"

#include <algorithm>

#include "ops/ops.h"

namespace astroclip::train {

namespace {

bool is_constant(const StageSetup& setup, const ViewRequest& view) {
  const Encoder& encoder = setup.encoder(view.tower);
  const bool stands_alone = view.with.empty() && std::ranges::none_of(setup.views(), [&](const data::ViewPlan& other) {
                              return other.request.with == view.name;
                            });
  return view.embedding_only && !view.augment && view.crops == 1 && stands_alone &&
         evaluate::has_frozen_backbone(encoder) && !encoder.has_dropout("backbone");
}

}  // namespace

FrozenViews::FrozenViews(const StageSetup& setup, evaluate::TokenCache& cache) : batch_(setup.stage().spec.batch) {
  const int64_t micro_batch = setup.stage().spec.micro_batch;
  if (micro_batch > 0 && micro_batch < batch_) return;
  const ops::PrecisionScope precision(setup.stage().experiment.run_precision());
  for (const data::ViewPlan& view : setup.views()) {
    const std::string& tower = view.request.tower;
    if (!is_constant(setup, view.request)) continue;
    auto tokens = cache.open({tower, setup.encoder(tower), Split::train, view, TokenForm::alignment, batch_});
    if (tokens) tokens_[view.request.name] = std::move(tokens);
  }
}

const evaluate::FrozenTokens* FrozenViews::find(const std::string& view, int64_t batch) const {
  const auto found = tokens_.find(view);
  return found == tokens_.end() || batch != batch_ ? nullptr : found->second.get();
}

std::unique_ptr<data::Loader> FrozenViews::loader(const StageSetup& setup, const Dataset& dataset,
                                                  std::vector<int64_t> rows, data::LoaderOptions options) const {
  std::vector<data::ViewPlan> views = setup.views();
  std::erase_if(views, [&](const data::ViewPlan& view) {
    const std::string& name = view.request.name;
    const evaluate::FrozenTokens* tokens = find(name, options.batch);
    if (tokens == nullptr) return false;
    options.kept[name] = [tokens](std::span<const int64_t> of) { return tokens->read(of); };
    return true;
  });
  return std::make_unique<data::Loader>(dataset, std::move(rows), views, setup.loss().labels(), options);
}

}  // namespace astroclip::train
