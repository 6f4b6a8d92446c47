#pragma once

#include <string>

// Parts of experiment files that several tests share.
namespace astroclip::testing_support {

/// Towers that run in a moment.
inline const std::string small_towers = R"([encoders.image]
plugin = "vit"
image = 24
dim = 16
depth = 1
heads = 2
chunks = 1
head = { width = 16, heads = 2 }
[encoders.spectrum]
plugin = "specformer"
window = 200
stride = 200
dim = 16
depth = 1
heads = 2
head = { width = 16, heads = 2 }
)";

/// The shortest experiment that checks.
inline const std::string plain_experiment = R"([dataset]
plugin = "simulated_survey"
[encoders.image]
plugin = "vit"
[encoders.spectrum]
plugin = "specformer"
[[stages]]
name = "alignment"
loss = { plugin = "clip" }
)";

}  // namespace astroclip::testing_support
