#pragma once

#include <set>
#include <string>
#include <vector>

#include "api/loss.h"
#include "experiment/experiment.h"
#include "model/model.h"
#include "nn/module.h"
#include "optim/optimizer.h"

namespace astroclip::train {

/// Lets the stage's encoders train but for what it freezes. Throws Error naming the part that is not there.
void freeze_parts(const StageSpec& stage, const Model& model);

/// Parameters of the loss ("loss.…") and of the stage's encoders ("image_encoder.…"), frozen ones too.
std::vector<NamedTensor> stage_parameters(const StageSpec& stage, const Model& model, const Loss& loss);

/// The largest parts, as experiment files name them ("spectrum", "image.backbone.cls_token"), none of whose parameters
/// is among `reached`.
std::vector<std::string> unreached_parts(const StageSpec& stage, const std::vector<NamedTensor>& parameters,
                                         const std::set<std::string>& reached);

/// The moments of batch norms whose weight the stage trains: buffers that change with it.
std::vector<NamedTensor> trained_moments(const StageSpec& stage, const Model& model);

/// Factors on the learning rate and decay of each: those of the groups that name it, and on the learning rate of an
/// encoder's backbone `layer_decay`^(L + 1 − depth). The depth of block i of L, from 0, is i + 1; what the encoder
/// declares before its blocks (embeddings, tokens) has 0 and all else L + 1 (Clark et al. 2020, "ELECTRA", appendix A;
/// with the depths of BEiT: Bao et al. 2022, and DINOv2: Oquab et al. 2023). Blocks are the parameters
/// "…blocks.[CHUNK.]i.…". Throws Error naming a group that names nothing, with a suggestion.
std::vector<optim::Scales> optimizer_scales(const StageSpec& stage, const std::vector<NamedTensor>& parameters);

}  // namespace astroclip::train
