// What the probes add to the backend's graphs of cuDNN: plans without a card, every engine, and how they are called.
#pragma once

#include "backend/cuda/dnn_graph.h"
#include "device.h"

namespace dnn = astroclip::cuda::dnn;

template <class T>
constexpr cudnnDataType_t cudnn_type = std::is_same_v<T, float> ? CUDNN_DATA_FLOAT : CUDNN_DATA_BFLOAT16;

/// A card that is not there, by a file as CUDNN_ATTR_DEVICEPROP_JSON_REPRESENTATION gives it (h100.json).
dnn::Target described_in(const std::string& path);

inline bool any_engine(const dnn::Engine&) { return true; }

/// "engine 6 (tensor cores, rounds its inputs), 12.3 MB".
std::string words(const dnn::Plan& plan);
