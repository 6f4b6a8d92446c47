#pragma once

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "api/loss.h"
#include "api/selected_tokens.h"
#include "backend/backend.h"
#include "base/error.h"

namespace astroclip::testing_support {

/// The engine's side of the loss interface over given raw views, for tests of one loss: attach the loss to it,
/// materialize it, and call forward with it.
class PlainEngine final : public LossSetup, public LossContext {
 public:
  struct Tower {
    std::shared_ptr<Encoder> encoder;
    Tensor raw;
  };
  PlainEngine(std::vector<std::pair<std::string, Tower>> towers, Device device)
      : towers_(std::move(towers)), device_(device) {}

  /// Another view of a tower, [B · crops, ...].
  void add_view(const std::string& name, const std::string& of, Tensor raw) {
    views_.emplace_back(name, Tower{tower(of).encoder, std::move(raw)});
  }
  void set_label(const std::string& name, Tensor values) { labels_[name] = std::move(values); }
  /// 0 of 1 unless set.
  void set_step(int64_t step, int64_t steps) {
    step_ = step;
    steps_ = steps;
  }
  void set_communicator(Communicator& communicator) { communicator_ = &communicator; }
  /// What a loss gets that has an encoder rebuilt.
  void set_rebuilt(std::shared_ptr<Encoder> encoder) { rebuilt_ = std::move(encoder); }

  // LossSetup
  const Encoder& encoder(const std::string& name) const override { return *tower(name).encoder; }
  std::vector<std::string> towers() const override {
    std::vector<std::string> names;
    for (const auto& [name, tower] : towers_) names.push_back(name);
    return names;
  }
  Encoder& rebuild(const std::string&, const std::string&) override {
    if (!rebuilt_) throw Error("no teacher in this test");
    return *rebuilt_;
  }

  // LossContext; every view is named after its tower, or is "masked" or "query" of the first or "key" of the last, or
  // was added.
  int64_t batch_size() const override { return towers_.front().second.raw.size(0); }
  int64_t step() const override { return step_; }
  int64_t steps() const override { return steps_; }
  Rng rng(RngStream stream, int64_t sample) const override { return {1, stream, 0, static_cast<uint64_t>(sample)}; }
  Tensor raw(const std::string& view) override { return tower(view).raw; }
  Tensor tokens(const std::string& view) override { return tower(view).encoder->tokenize(tower(view).raw); }
  Encoded encode(const std::string& view, const Tensor& mask, TokenForm form) override {
    return tower(view).encoder->encode(tokens(view), mask, form);
  }
  Encoded encode_selected(const std::string& view, const Tensor& mask, const std::vector<int64_t>& selected) override {
    return astroclip::encode_selected(*tower(view).encoder, tokens(view), mask, selected);
  }
  Tensor embed(const std::string& view) override {
    return tower(view).encoder->embed(encode(view, {}, TokenForm::alignment));
  }
  Tensor label(const std::string& name) const override {
    if (!labels_.contains(name)) throw Error("no label '" + name + "' in this test");
    return labels_.at(name);
  }
  Tensor upload(std::span<const float> values, const Shape& shape) const override {
    return Tensor::from_host(values, shape, backend_of(device_).compute_dtype(), device_);
  }
  Communicator& communicator() const override { return *communicator_; }

 private:
  const Tower& tower(const std::string& name) const {
    for (const auto& [own, view] : views_) {
      if (own == name) return view;
    }
    if (name == "key") return towers_.back().second;
    for (const auto& [own, tower] : towers_) {
      if (own == name || name == "masked" || name == "query") return tower;
    }
    throw Error("no view '" + name + "' in this test");
  }
  std::vector<std::pair<std::string, Tower>> towers_, views_;
  Device device_;
  std::map<std::string, Tensor> labels_;
  int64_t step_ = 0, steps_ = 1;
  Communicator* communicator_ = &single_process();
  std::shared_ptr<Encoder> rebuilt_;
};

/// An encoder that hands its raw input on as embedding: losses on free features.
class FreeFeatures : public Encoder {
 public:
  FreeFeatures(std::string modality, int64_t width) : modality_(std::move(modality)), width_(width) {}
  std::string modality() const override { return modality_; }
  Shape input_shape() const override { return {width_}; }
  Shape token_shape() const override { return {1, width_}; }
  int64_t dim() const override { return width_; }
  int64_t embedding_width() const override { return width_; }
  Tensor tokenize(const Tensor& raw) const override { return raw; }
  Encoded encode(const Tensor& tokens, const Tensor&, TokenForm) const override { return {{}, tokens}; }
  Tensor embed(const Encoded& encoded) const override { return encoded.tokens; }
  Tensor pool(const Encoded& encoded) const override { return encoded.tokens; }

 private:
  std::string modality_;
  int64_t width_;
};

/// An engine whose encoders "image" and "spectrum" give `a` and `b` [B, E] as embeddings.
inline PlainEngine engine_of(const Tensor& a, const Tensor& b, const std::map<std::string, Tensor>& labels = {}) {
  PlainEngine engine({{"image", {std::make_shared<FreeFeatures>("image", a.size(1)), a}},
                      {"spectrum", {std::make_shared<FreeFeatures>("spectrum", b.size(1)), b}}},
                     a.device());
  for (const auto& [name, values] : labels) engine.set_label(name, values);
  engine.set_rebuilt(std::make_shared<FreeFeatures>("image", a.size(1)));
  return engine;
}

}  // namespace astroclip::testing_support
