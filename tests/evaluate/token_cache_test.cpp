// What frozen backbones give is kept on disk: the same bits, within the bound.
#include "evaluate/token_cache.h"

#include <gmock/gmock.h>

#include <numeric>

#include "base/error.h"
#include "config/toml.h"
#include "experiment/fingerprint.h"
#include "model/model.h"
#include "ops/ops.h"
#include "plugin/host.h"
#include "support/scratch.h"

namespace astroclip::evaluate {
namespace {

namespace fs = std::filesystem;
using testing_support::scratch;

constexpr int64_t plenty = int64_t{1} << 30;

config::Table experiment_file() {
  return config::parse_text(R"([experiment]
device = "cpu"
[dataset]
plugin = "simulated_survey"
galaxies = 50
cache = ")" + scratch("token_survey") +
                                R"("
[encoders.image]
plugin = "vit"
image = 48
dim = 32
depth = 2
heads = 2
chunks = 1
layer_scale = 0.5
alignment_positions = true
[encoders.spectrum]
plugin = "specformer"
window = 100
stride = 100
dim = 32
depth = 2
heads = 2
)",
                            "e.toml");
}

class TokenCacheTest : public testing::Test {
 protected:
  TokenCacheTest()
      : file_(experiment_file()),
        experiment_(read_experiment(file_)),
        dataset_(experiment_.dataset.make()),
        model_(experiment_.encoders, experiment_.run_device(), 0),
        folder_(scratch("tokens")) {
    fs::remove_all(folder_);
    for (const std::string& name : model_.names()) model_.encoder(name).set_trainable("backbone", false);
  }

  TokenRequest request(const std::string& name, int64_t batch = 16) const {
    const Encoder& encoder = model_.encoder(name);
    return {name,
            encoder,
            Split::train,
            {{.name = name, .modality = name}, encoder.input_shape()},
            name == "image" ? TokenForm::pretraining : TokenForm::alignment,
            batch};
  }

  /// What the backbone makes of some rows now.
  Encoded forward(const TokenRequest& of, const std::vector<int64_t>& rows) const {
    data::LoaderOptions options{.batch = static_cast<int64_t>(rows.size()), .steps = 1, .shuffle = false};
    data::Loader loader(*dataset_, rows, {of.view}, {}, options);
    const HostArray view = loader.next().views.at(of.view.request.name);
    const Tensor raw = Tensor::from_host(view.values<float>(), view.shape, DType::f32, {DeviceKind::cpu});
    return of.encoder.encode(of.encoder.tokenize(raw), {}, of.form);
  }

  size_t files() const {
    return static_cast<size_t>(std::distance(fs::directory_iterator(folder_), fs::directory_iterator()));
  }

  config::Table file_;
  Experiment experiment_;
  std::shared_ptr<Dataset> dataset_;
  Model model_;
  std::string folder_;
};

TEST_F(TokenCacheTest, GivesTheBitsThatTheBackboneGivesInAnyOrder) {
  TokenCache cache(experiment_, *dataset_, {}, folder_, plenty, nullptr);
  const std::vector<int64_t> rows = {33, 2, 39, 0, 17, 18, 5, 11, 36, 21, 20, 9, 4, 30, 1, 8};  // 40 in the split
  for (const std::string& name : model_.names()) {
    const auto kept = cache.open(request(name));
    ASSERT_NE(kept, nullptr);
    const Encoded there = kept->upload(kept->read(rows)), here = forward(request(name), rows);
    EXPECT_EQ(there.tokens.shape(), here.tokens.shape());
    EXPECT_EQ(there.tokens.to_floats(), here.tokens.to_floats()) << name;
    ASSERT_EQ(there.cls_token.defined(), here.cls_token.defined());
    if (!here.cls_token.defined()) continue;
    EXPECT_EQ(there.cls_token.to_floats(), here.cls_token.to_floats()) << name;
  }
}

TEST_F(TokenCacheTest, ReadsTokensAlone) {
  TokenCache cache(experiment_, *dataset_, {}, folder_, plenty, nullptr);
  const std::vector<int64_t> rows = {33, 2, 39};
  for (const std::string& name : model_.names()) {
    const auto kept = cache.open(request(name));
    const Tensor tokens = kept->upload(kept->read(rows)).tokens;
    const Matrix alone = kept->read_tokens(rows);
    EXPECT_EQ(kept->tokens(), tokens.size(1));
    EXPECT_EQ(alone.rows, 3 * tokens.size(1));
    EXPECT_EQ(alone.columns, tokens.size(2));
    EXPECT_EQ(alone.values, tokens.to_floats());
  }
}

/// An encoder whose tokens are rounded for attention pooling, as on a card.
class InBf16 final : public Encoder {
 public:
  explicit InBf16(const Encoder& encoder) : encoder_(encoder) {}
  std::string modality() const override { return encoder_.modality(); }
  Shape input_shape() const override { return encoder_.input_shape(); }
  Shape token_shape() const override { return encoder_.token_shape(); }
  int64_t dim() const override { return encoder_.dim(); }
  int64_t embedding_width() const override { return encoder_.embedding_width(); }
  Tensor tokenize(const Tensor& raw) const override { return encoder_.tokenize(raw); }
  Encoded encode(const Tensor& tokens, const Tensor& mask, TokenForm form) const override {
    const auto rounded = [](const Tensor& x) { return x.defined() ? ops::cast(x, DType::bf16) : x; };
    const Encoded encoded = encoder_.encode(tokens, mask, form);
    return {rounded(encoded.cls_token), rounded(encoded.tokens)};
  }
  Tensor embed(const Encoded& encoded) const override { return encoder_.embed(encoded); }
  Tensor pool(const Encoded& encoded) const override { return encoder_.pool(encoded); }

 private:
  const Encoder& encoder_;
};

TEST_F(TokenCacheTest, KeepsTokensInTheDtypeThatTheyHave) {
  TokenCache cache(experiment_, *dataset_, {}, folder_, plenty, nullptr);
  const std::vector<int64_t> rows = {33, 2, 39, 0, 17, 18, 5, 11, 36, 21, 20, 9, 4, 30, 1, 8};
  for (const std::string& name : model_.names()) {
    const InBf16 encoder(model_.encoder(name));
    const TokenRequest plain = request(name);
    const TokenRequest rounded{plain.name, encoder, plain.split, plain.view, plain.form, plain.batch};
    const auto kept = cache.open(rounded);
    ASSERT_NE(kept, nullptr);
    const Encoded there = kept->upload(kept->read(rows)), here = forward(rounded, rows);
    ASSERT_EQ(there.tokens.dtype(), DType::bf16);
    EXPECT_EQ(there.tokens.shape(), here.tokens.shape());
    EXPECT_EQ(there.tokens.to_floats(), here.tokens.to_floats()) << name;
    ASSERT_EQ(there.cls_token.defined(), here.cls_token.defined());
    if (!here.cls_token.defined()) continue;
    EXPECT_EQ(there.cls_token.to_floats(), here.cls_token.to_floats()) << name;
  }
}

TEST_F(TokenCacheTest, KeepsOneFileForEqualBackbonesWhateverTheHeads) {
  TokenCache cache(experiment_, *dataset_, {}, folder_, plenty, nullptr);
  ASSERT_NE(cache.open(request("spectrum")), nullptr);
  const auto change = [&](const std::string& part) {
    for (NamedTensor& entry : model_.encoder("spectrum").parameters()) {
      if (entry.name.starts_with(part))
        entry.tensor.copy_from(Tensor::zeros(entry.tensor.shape(), DType::f32, {DeviceKind::cpu}));
    }
  };
  change("cross_attention");
  ASSERT_NE(cache.open(request("spectrum")), nullptr);
  EXPECT_EQ(files(), 1U);
  ASSERT_NE(cache.open(request("spectrum", 8)), nullptr);  // products of another size may round otherwise
  EXPECT_EQ(files(), 2U);
  change("backbone.final_layernorm");
  const auto changed = cache.open(request("spectrum"));
  EXPECT_EQ(files(), 3U);
  EXPECT_EQ(changed->read(std::vector<int64_t>{3}).front().values<float>()[0], 0.0F);
}

/// The spectra of another dataset, those of later objects upside down.
class LaterObjectsChanged final : public Dataset {
 public:
  explicit LaterObjectsChanged(const Dataset& all) : all_(all) {}
  std::vector<Field> fields() const override { return all_.fields(); }
  int64_t size(Split split) const override { return all_.size(split); }
  config::Table preprocessing() const override { return all_.preprocessing(); }
  void read(Split split, std::span<const int64_t> rows, std::span<const std::string> names,
            HostBatch& out) const override {
    all_.read(split, rows, names, out);
    if (!out.contains("spectrum")) return;
    const auto values = out.at("spectrum").values<float>();
    const size_t pixels = values.size() / rows.size();
    for (size_t i = 0; i < values.size(); ++i) {
      if (rows[i / pixels] >= 32) values[i] = -values[i];
    }
  }

 private:
  const Dataset& all_;
};

TEST_F(TokenCacheTest, KnowsObjectsThatChangedBehindTheSamePath) {
  const LaterObjectsChanged changed(*dataset_);
  const std::vector<int64_t> late = {35};
  std::vector<std::vector<float>> tokens;
  for (const Dataset* dataset : {static_cast<const Dataset*>(dataset_.get()), static_cast<const Dataset*>(&changed)}) {
    const Provenance provenance = provenance_of(experiment_, fingerprint(*dataset));
    TokenCache cache(experiment_, *dataset, provenance, folder_, plenty, nullptr);
    const HostArray kept = cache.open(request("spectrum"))->read(late).front();
    tokens.emplace_back(kept.values<float>().begin(), kept.values<float>().end());
  }
  EXPECT_NE(tokens[0], tokens[1]);
}

TEST_F(TokenCacheTest, KnowsARebuiltEncoderButNoLossOrTask) {
  Provenance provenance = provenance_of(experiment_, fingerprint(*dataset_));
  const auto files_after = [&](const std::string& rebuilt) {
    provenance.code.set(rebuilt, {"rebuilt", {}});
    TokenCache cache(experiment_, *dataset_, provenance, folder_, plenty, nullptr);
    EXPECT_NE(cache.open(request("spectrum")), nullptr);
    return files();
  };
  EXPECT_EQ(files_after("loss clip"), 1U);
  EXPECT_EQ(files_after("task redshift"), 1U);
  EXPECT_EQ(files_after("encoder specformer"), 2U);
  EXPECT_EQ(files_after("dataset simulated_survey"), 3U);
  EXPECT_EQ(files_after("astroclip"), 4U);
}

/// Of a backbone that training may change, too: its weights are part of what the file is known by.
TEST_F(TokenCacheTest, KeepsTokensOfABackboneThatIsNotFrozen) {
  model_.encoder("spectrum").set_trainable("backbone", true);
  TokenCache cache(experiment_, *dataset_, {}, folder_, plenty, nullptr);
  const auto first = cache.keep(request("spectrum"));
  for (NamedTensor& entry : model_.encoder("spectrum").parameters()) {
    if (entry.name.starts_with("backbone.final_layernorm")) {
      entry.tensor.copy_from(Tensor::zeros(entry.tensor.shape(), DType::f32, {DeviceKind::cpu}));
    }
  }
  const auto changed = cache.keep(request("spectrum"));
  EXPECT_EQ(files(), 2U);
  const std::vector<int64_t> row = {3};
  EXPECT_NE(first->read_tokens(row).values, changed->read_tokens(row).values);
  EXPECT_THAT(changed->read_tokens(row).values, testing::Each(0.0F));
}

TEST_F(TokenCacheTest, DropsNothingThatATaskReads) {
  const int64_t one_file = 48 * 78 * 32 * 4;
  TokenCache cache(experiment_, *dataset_, {}, folder_, one_file + one_file / 2, nullptr);
  ASSERT_NE(cache.keep(request("spectrum")), nullptr);
  EXPECT_THAT([&] { cache.keep(request("spectrum", 8)); },
              testing::ThrowsMessage<Error>(
                  testing::StartsWith("[evaluation] the tokens of the spectrum backbone, which a task reads, take 1 MB "
                                      "beside 1 of others; 'token_mb' allows 0 and the disk has ")));
  EXPECT_EQ(files(), 1U);
}

TEST_F(TokenCacheTest, StaysWithinItsBound) {
  // 40 rows in batches of 16 make 48, each of 78 tokens of 32 floats.
  const int64_t one_file = 48 * 78 * 32 * 4, two_files = 2 * one_file + one_file / 2;
  TokenCache small(experiment_, *dataset_, {}, folder_, one_file - 1, nullptr);
  EXPECT_EQ(small.open(request("spectrum")), nullptr);
  EXPECT_EQ(files(), 0U);
  TokenCache cache(experiment_, *dataset_, {}, folder_, two_files, nullptr);
  for (const int64_t batch : {16, 8, 4}) ASSERT_NE(cache.open(request("spectrum", batch)), nullptr);
  EXPECT_EQ(files(), 2U);
}

}  // namespace
}  // namespace astroclip::evaluate
