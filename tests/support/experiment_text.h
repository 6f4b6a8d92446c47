#pragma once

#include <string>

#include "support/scratch.h"

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

/// Towers of the images and spectra that the template's dataset makes.
inline const std::string template_towers = R"([encoders.image]
plugin = "vit"
image = 24
dim = 12
depth = 1
heads = 1
chunks = 1
head = { width = 12, heads = 1 }
[encoders.spectrum]
plugin = "specformer"
pixels = 64
window = 8
stride = 8
dim = 12
depth = 1
heads = 1
head = { width = 12, heads = 1 }
)";

/// What a test wants of the small experiment of DINOv2.
struct SmallPretraining {
  std::string dataset = {};  ///< further lines of its section, tables of its own last
  std::string loss = {};     ///< further keys, each after a comma
  std::string stage = {};    ///< further lines
  std::string device = "cpu";
};

/// DINOv2 on small simulated images.
inline std::string small_pretraining(const SmallPretraining& small) {
  return "[experiment]\ndevice = \"" + small.device +
         "\"\n[dataset]\nplugin = \"simulated_survey\"\ngalaxies = 40\ncache = \"" + scratch("small") + "\"\n" +
         small.dataset +
         R"([dataset.views.local]
size = 36
[encoders.image]
plugin = "vit"
image = 72
patch = 12
dim = 16
depth = 2
heads = 2
chunks = 1
head = { width = 16, heads = 2 }
[[stages]]
name = "pretraining"
batch = 6
steps = 6
loss = { plugin = "dinov2", local_crops = 2, prototypes = 32, hidden = 24, bottleneck = 8, teacher_momentum = 0.9, teacher_temperature_warmup = 3)" +
         small.loss + " }\n" + small.stage + R"([[tasks]]
plugin = "redshift"
k = 4
probes = ["knn"]
)";
}

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
