#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "embed/inputs.h"
#include "experiment/experiment.h"

namespace astroclip::embed {

/// What the user should know of the inputs.
struct Note {
  std::string text, first;  ///< the first input that it is of
  int64_t inputs = 0;       ///< how many it is of
};

struct InputProvenance {
  std::string text;  ///< of the output: that of the one that was begun, or what is known now
  std::vector<Note> notes;
};

/// Contents of the inputs and code of the encoders. Throws Error when the output was begun with others.
InputProvenance provenance_of(const std::vector<Input>& inputs, const std::vector<EncoderSpec>& encoders,
                              const std::string& output);

}  // namespace astroclip::embed
