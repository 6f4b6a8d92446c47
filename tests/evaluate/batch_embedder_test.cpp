// Batches embedded one after another, by a replay where the device has one, are those embedded by themselves.
#include "evaluate/batch_embedder.h"

#include <gmock/gmock.h>

#include "config/toml.h"
#include "support/devices.h"
#include "support/experiment_text.h"
#include "support/small_experiment.h"

namespace astroclip::evaluate {
namespace {

class BatchEmbedders : public testing_support::OnEachBackend {
 protected:
  HostArray views(const Embedder& embedder, int64_t objects, int64_t which) const {
    HostArray array(DType::f32, HostArray::rows_of(embedder.encoder().input_shape(), objects));
    int64_t i = which * 11;
    for (float& value : array.values<float>()) value = static_cast<float>(i++ * 5 % 97) / 97.0F;
    return array;
  }

  /// Of encoders as in an experiment file.
  Model model(const std::string& encoders = testing_support::small_towers) const {
    const std::string text =
        "[experiment]\ndevice = \"" + device().str() + "\"\n[dataset]\nplugin = \"simulated_survey\"\n" + encoders;
    return testing_support::model_of(read_experiment(config::parse_text(text, "e.toml")));
  }

  /// Each encoder of a model by head and by backbone.
  std::vector<Embedder> embedders(const Model& model, Precision precision) const {
    std::vector<Embedder> all;
    for (const std::string& name : model.names()) {
      for (const bool head : {true, false}) {
        all.emplace_back(name, model.shared_encoder(name), device(), precision, head);
      }
    }
    return all;
  }

  /// Several batches, the last one smaller.
  void expect_same_bits(const std::vector<Embedder>& all) const {
    std::vector<BatchEmbedder> batches(all.begin(), all.end());
    int64_t batch = 0;
    for (const int64_t objects : {4, 4, 4, 4, 4, 3}) {
      for (size_t i = 0; i < all.size(); ++i) {
        SCOPED_TRACE(fmt::format("{}, embedder {}, batch {}", all[i].encoder().plugin_name(), i, batch));
        const int64_t before = used();
        expect_same(batches[i], all[i], views(all[i], objects, batch));
        if (batch >= 2) {  // weights have their forms for products
          EXPECT_EQ(used() > before, batch == 2 && replays()) << "memory that a replay keeps";
        }
      }
      ++batch;
    }
  }

  void expect_same(BatchEmbedder& batches, const Embedder& embedder, const HostArray& array) const {
    const Embedded found = batches.embed(array);
    ComingMatrix coming(found.vectors);
    const Embedded expected = embedder.embed(data::upload(array, device()));
    EXPECT_EQ(std::move(coming).get().values, expected.vectors.to_floats());
    EXPECT_EQ(found.features.tokens.to_floats(), expected.features.tokens.to_floats());
  }

  bool replays() const { return !is_host_memory(device()); }
  int64_t used() const { return memory_of(device()).statistics().used_bytes; }
};

TEST_P(BatchEmbedders, GiveTheBitsOfEachBatchByItself) {
  for (const Precision precision : {Precision::f32, Precision::bf16}) {
    if (backend_of(device()).supports(precision)) expect_same_bits(embedders(model(), precision));
  }
}

TEST_P(BatchEmbedders, GiveThoseOfOtherEncoders) {
  const Model others = model(R"([encoders.image]
plugin = "resnet"
image = 32
dim = 8
blocks = [1, 1]
width = 16
[encoders.spectrum]
plugin = "conv_attention"
width = 16
)");
  expect_same_bits(embedders(others, Precision::f32));
}

TEST_P(BatchEmbedders, ReplayNoLargeBatches) {
  const Embedder embedder = embedders(model(), Precision::f32).front();
  BatchEmbedder batches(embedder);
  const HostArray array = views(embedder, BatchEmbedder::most_replayed + 1, 0);
  (void)batches.embed(array);
  (void)batches.embed(array);
  const int64_t before = used();
  for (int i = 0; i < 2; ++i) (void)batches.embed(array);
  EXPECT_EQ(used(), before);
}

/// An encoder whose work the host takes part in: it looks at its tokens.
class Looking final : public Encoder {
 public:
  explicit Looking(std::shared_ptr<Encoder> encoder) : encoder_(std::move(encoder)) { encoder_->set_training(false); }
  std::string modality() const override { return encoder_->modality(); }
  Shape input_shape() const override { return encoder_->input_shape(); }
  Shape token_shape() const override { return encoder_->token_shape(); }
  int64_t dim() const override { return encoder_->dim(); }
  int64_t embedding_width() const override { return encoder_->embedding_width(); }
  Tensor tokenize(const Tensor& raw) const override {
    Tensor tokens = encoder_->tokenize(raw);
    (void)tokens.to_floats();
    return tokens;
  }
  Encoded encode(const Tensor& tokens, const Tensor& mask, TokenForm form) const override {
    return encoder_->encode(tokens, mask, form);
  }
  Tensor embed(const Encoded& encoded) const override { return encoder_->embed(encoded); }
  Tensor pool(const Encoded& encoded) const override { return encoder_->pool(encoded); }

 private:
  std::shared_ptr<Encoder> encoder_;
};

TEST_P(BatchEmbedders, EmbedPlainlyWhatCannotBeCaptured) {
  const auto encoder = std::make_shared<Looking>(model().shared_encoder("image"));
  const Embedder embedder("image", encoder, device(), Precision::f32, true);
  BatchEmbedder batches(embedder);
  int64_t before = 0;
  for (int64_t batch = 0; batch < 6; ++batch) {
    const HostArray array = views(embedder, 4, batch);
    const std::vector<float> found = batches.embed(array).vectors.to_floats();
    EXPECT_EQ(found, embedder.embed(data::upload(array, device())).vectors.to_floats()) << batch;
    if (batch == 1) before = used();
    if (batch > 1) {
      EXPECT_EQ(used(), before) << batch;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Devices, BatchEmbedders, testing_support::each_backend(), testing_support::backend_name);

}  // namespace
}  // namespace astroclip::evaluate
