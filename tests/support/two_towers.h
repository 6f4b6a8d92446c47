#pragma once

#include <gtest/gtest.h>

#include <fstream>
#include <string>

#include "support/fixtures.h"
#include "support/program.h"
#include "support/scratch.h"

namespace astroclip::testing_support {

/// A model file of the fixtures' two towers, converted with their architecture.
inline const std::string& two_towers() {
  static const std::string path = [] {
    const std::string architecture = scratch("two_towers.toml"), to = scratch("model.safetensors");
    std::ofstream(architecture) << R"([encoders.image]
plugin = "vit"
image = 144
dim = 48
depth = 4
heads = 4
chunks = 2
head = { width = 48, heads = 4, dropout = 0.0 }

[encoders.spectrum]
plugin = "specformer"
dim = 48
depth = 2
heads = 3
head = { width = 48, heads = 4, dropout = 0.0, mlp_residual = true }
)";
    const Outcome outcome =
        run_program("convert '" + fixture("astroclip.ckpt") + "' '" + to + "' --architecture '" + architecture + "'");
    EXPECT_EQ(outcome.status, 0) << outcome.err;
    return to;
  }();
  return path;
}

}  // namespace astroclip::testing_support
