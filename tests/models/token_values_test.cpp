// What tokens of a spectrum say of its pixels.
#include "api/token_values.h"

#include <cmath>

#include "models/model_support.h"

namespace astroclip {
namespace {

using testing_support::make_encoder;
using testing_support::tiny_specformer;

class TokenValues : public testing_support::OnEachBackend {};

TEST_P(TokenValues, TokensAreTakenBackToWhatTheyWereMadeOf) {
  const auto encoder = make_encoder("specformer", tiny_specformer, device());
  const int64_t pixels = encoder->input_shape()[0];
  std::vector<double> raw;
  for (int64_t i = 0; i < pixels; ++i) raw.push_back(3.0 + std::sin(0.01 * static_cast<double>(i)));
  const Tensor spectrum = Tensor::from_host(raw, {1, pixels}, backend_of(device()).compute_dtype(), device());
  const std::vector<double> tokens = encoder->tokenize(spectrum).to_doubles();
  const std::vector<int64_t> entries = values_of_entries(ability<TokenGrid>(*encoder), spectrum);
  ASSERT_EQ(entries.size(), tokens.size());
  // The first token holds mean and deviation; windows of 20 pixels begin every 10 behind two zeros (as published).
  const auto width = static_cast<size_t>(encoder->token_shape()[1]);
  EXPECT_EQ(entries[0], -1);
  EXPECT_EQ(entries[3 * width + 1], -1);
  EXPECT_EQ(entries[3 * width + 2], 20);
  const size_t count = tokens.size() / width;
  std::vector<double> hidden(count, 1.0);
  const std::vector<double> all = values_predicted(raw, tokens, tokens, hidden, entries);
  for (size_t i = 0; i + 20 < raw.size(); ++i) ASSERT_NEAR(all[i], raw[i], 1e-4) << i;
  hidden.assign(count, 0.0);
  hidden[3] = 1.0;
  const std::vector<double> one = values_predicted(raw, tokens, tokens, hidden, entries);
  for (size_t i = 0; i < raw.size(); ++i) ASSERT_EQ(std::isfinite(one[i]), i >= 20 && i < 40) << i;
}

INSTANTIATE_TEST_SUITE_P(, TokenValues, testing_support::each_backend(), testing_support::backend_name);

}  // namespace
}  // namespace astroclip
