#include "plans.h"

#include <fstream>
#include <iterator>
#include <map>

dnn::Target described_in(const std::string& path) {
  std::ifstream file(path);
  const std::string json((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  dnn::Target target;
  target.properties = dnn::Descriptor(CUDNN_BACKEND_DEVICEPROP_DESCRIPTOR);
  target.properties.set(CUDNN_ATTR_DEVICEPROP_JSON_REPRESENTATION, CUDNN_TYPE_CHAR, static_cast<int64_t>(json.size()),
                        json.data());
  target.properties.finalize();
  return target;
}

std::string words(const dnn::Plan& plan) {
  static const std::map<cudnnBackendNumericalNote_t, std::string> names = {
      {CUDNN_NUMERICAL_NOTE_TENSOR_CORE, "tensor cores"},
      {CUDNN_NUMERICAL_NOTE_DOWN_CONVERT_INPUTS, "rounds its inputs"},
      {CUDNN_NUMERICAL_NOTE_REDUCED_PRECISION_REDUCTION, "sums in less precision"},
      {CUDNN_NUMERICAL_NOTE_FFT, "FFT"},
      {CUDNN_NUMERICAL_NOTE_NONDETERMINISTIC, "not deterministic"},
      {CUDNN_NUMERICAL_NOTE_WINOGRAD, "Winograd"},
      {CUDNN_NUMERICAL_NOTE_STRICT_NAN_PROP, "keeps NaN"}};
  std::string notes;
  for (const auto& [note, name] : names) {
    if (plan.engine().has(note)) notes += (notes.empty() ? "" : ", ") + name;
  }
  char text[200];
  std::snprintf(text, sizeof text, "engine %lld (%s), %.1f MB", static_cast<long long>(plan.engine().number()),
                notes.c_str(), static_cast<double>(plan.workspace_bytes()) * 1e-6);
  return text;
}
