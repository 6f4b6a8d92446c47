// A network on the magnitudes of an object, AstroCLIP's photometric baseline (Parker et al. 2024, section 5.2), as a
// tower of its own.
#include <memory>
#include <string>
#include <vector>

#include "nn/layers.h"
#include "ops/operators.h"
#include "plugin/record.h"

namespace astroclip {
namespace {

constexpr double typical_magnitude = 20.0, magnitude_scale = 2.0;
constexpr double colour_scale = 0.5;
constexpr double typical_error = 0.1;

struct PhotometryParameters {
  int64_t bands = 3;
  std::vector<int64_t> hidden = {64, 64};
  int64_t width = 64;
  double dropout = 0.0;
};

/// Its one token holds, of each band, the magnitude, the colour with the next band, the error and whether it was
/// measured.
class PhotometryMlp final : public Encoder {
 public:
  using Parameters = PhotometryParameters;

  static const config::Schema<Parameters>& schema() {
    using config::between;
    static const auto schema =
        config::Schema<Parameters>(
            "Network on magnitudes and colours with their errors; a band that was not measured is 0 in all of its "
            "inputs, one of which says so.")
            .field("bands", &Parameters::bands, "magnitudes of an object, as many as [dataset.photometry] names",
                   between(1, 64))
            .field("hidden", &Parameters::hidden, "widths of its layers, at least one", config::each(between(1, 65536)))
            .field("width", &Parameters::width, "width of the embedding, by a linear layer", between(1, 65536))
            .field("dropout", &Parameters::dropout, "after each activation but the last", between(0.0, 0.99))
            .check([](const Parameters& p) { return p.hidden.empty() ? "'hidden' must name a width" : ""; })
            .example(R"(
[dataset.photometry]
magnitudes = ["mag_g", "mag_r", "mag_z"]
errors = ["magerr_g", "magerr_r", "magerr_z"]

[encoders.photometry]
plugin = "photometry_mlp"
width = 128
)");
    return schema;
  }

  explicit PhotometryMlp(const Parameters& parameters)
      : p_(parameters),
        backbone_(inputs(), p_.hidden, {.dropout = p_.dropout}),
        head_(dim(), p_.width, nn::uniform_fan_in(dim()), nn::uniform_fan_in(dim())) {
    child("backbone", backbone_);
    child("head", head_);
  }

  std::string modality() const override { return "photometry"; }
  Shape input_shape() const override { return {3, p_.bands}; }
  Shape token_shape() const override { return {1, inputs()}; }
  int64_t dim() const override { return p_.hidden.back(); }
  int64_t embedding_width() const override { return p_.width; }

  Tensor tokenize(const Tensor& raw) const override {
    if (raw.rank() != 3 || raw.size(1) != 3 || raw.size(2) != p_.bands) {
      fail("photometry must be [batch, 3, " + std::to_string(p_.bands) + "], found " + raw.shape().str());
    }
    const Tensor magnitude = ops::narrow(raw, 1, 0, 1), error = ops::narrow(raw, 1, 1, 1);
    const Tensor measured = ops::narrow(raw, 1, 2, 1);
    std::vector<Tensor> parts = {(magnitude - typical_magnitude * measured) / magnitude_scale,
                                 error / (error + typical_error), measured};
    if (p_.bands > 1) {
      const auto before = [&](const Tensor& x) { return ops::narrow(x, 2, 0, p_.bands - 1); };
      const auto after = [&](const Tensor& x) { return ops::narrow(x, 2, 1, p_.bands - 1); };
      const Tensor both = before(measured) * after(measured);
      parts.push_back((before(magnitude) - after(magnitude)) * both / colour_scale);
    }
    return ops::concat(parts, 2);
  }

  /// A hidden token is 0.
  Encoded encode(const Tensor& tokens, const Tensor& mask, TokenForm) const override {
    Tensor x = tokens;
    if (mask.defined()) x = x * (1 - ops::reshape(mask, {x.size(0), 1, 1}));
    return {{}, ops::relu(backbone_(x))};
  }

  Tensor pool(const Encoded& encoded) const override {
    return ops::reshape(encoded.tokens, {encoded.tokens.size(0), dim()});
  }
  Tensor embed(const Encoded& encoded) const override { return head_(pool(encoded)); }

 private:
  int64_t inputs() const { return 4 * p_.bands - 1; }

  Parameters p_;
  nn::Mlp backbone_;
  nn::Linear head_;
};

}  // namespace
}  // namespace astroclip

ASTROCLIP_PLUGIN(astroclip::Encoder, astroclip::PhotometryMlp)
