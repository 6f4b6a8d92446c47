#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/error.h"
#include "nn/published_names_internal.h"

namespace astroclip::nn {

namespace {

/// The suffix of a fused projection's name, and the suffixes of its three parts.
struct Projection {
  std::string_view fused;
  std::array<std::string_view, 3> split;
};
constexpr Projection projections[] = {
    {"in_proj_weight", {"q_proj_weight", "k_proj_weight", "v_proj_weight"}},
    {"in_proj_weight", {"q_proj.weight", "k_proj.weight", "v_proj.weight"}},
    {"in_proj_bias", {"q_proj_bias", "k_proj_bias", "v_proj_bias"}},
    {"in_proj_bias", {"q_proj.bias", "k_proj.bias", "v_proj.bias"}},
    {"qkv.weight", {"q.weight", "k.weight", "v.weight"}},
    {"qkv.bias", {"q.bias", "k.bias", "v.bias"}},
    {"qkv.weight", {"q_proj.weight", "k_proj.weight", "v_proj.weight"}},
    {"qkv.bias", {"q_proj.bias", "k_proj.bias", "v_proj.bias"}},
    {"attention.attention.weight", {"attention.query.weight", "attention.key.weight", "attention.value.weight"}},
    {"attention.attention.bias", {"attention.query.bias", "attention.key.bias", "attention.value.bias"}},
};

constexpr Respelling of_timm[] = {{"reg_token", "register_tokens"}};
constexpr Respelling of_transformers[] = {
    {"embeddings.cls_token", "cls_token"},
    {"embeddings.mask_token", "mask_token"},
    {"embeddings.register_tokens", "register_tokens"},
    {"embeddings.position_embeddings", "pos_embed"},
    {"embeddings.patch_embeddings.projection", "patch_embed.proj"},
    {"encoder.layer", "blocks"},
    {"layers", "blocks"},
    {"layernorm_before", "norm1"},
    {"layernorm_after", "norm2"},
    {"layernorm", "norm"},
    {"attention.attention.query", "attn.q"},
    {"attention.attention.key", "attn.k"},
    {"attention.attention.value", "attn.v"},
    {"attention.output.dense", "attn.proj"},
    {"attention.o_proj", "attn.proj"},
    {"attention", "attn"},
    {"intermediate.dense", "mlp.fc1"},
    {"output.dense", "mlp.fc2"},
    {"layer_scale1.lambda1", "ls1.gamma"},
    {"layer_scale2.lambda1", "ls2.gamma"},
};
constexpr Respelling of_torchvision[] = {
    {"class_token", "cls_token"},
    {"conv_proj", "patch_embed.proj"},
    {"encoder.pos_embedding", "pos_embed"},
    {"encoder.layers.encoder_layer_", "blocks."},
    {"encoder.ln", "norm"},
    {"ln_1", "norm1"},
    {"ln_2", "norm2"},
    {"self_attention.in_proj_weight", "attn.qkv.weight"},
    {"self_attention.in_proj_bias", "attn.qkv.bias"},
    {"self_attention.out_proj", "attn.proj"},
    {"mlp.0", "mlp.fc1"},
    {"mlp.3", "mlp.fc2"},
    {"mlp.linear_1", "mlp.fc1"},
    {"mlp.linear_2", "mlp.fc2"},
};
constexpr Naming all_namings[] = {{"", of_timm}, {"transformers", of_transformers}, {"torchvision", of_torchvision}};

/// Tensors that a file may lack because they are zero then, and what it must hold for that: masks are only used in
/// pretraining, and a projection without bias is one with a bias of zero.
struct ZeroWithout {
  std::string_view name, companion;
};
constexpr ZeroWithout zero_without[] = {{"mask_token", "pos_embed"}, {"attn.qkv.bias", "attn.qkv.weight"}};

bool is_number(std::string_view word) {
  return !word.empty() && std::ranges::all_of(word, [](char c) { return c >= '0' && c <= '9'; });
}

std::string with_ending(const std::string& name, std::string_view ending, std::string_view other) {
  return name.substr(0, name.size() - ending.size()) + std::string(other);
}

std::string respelled(std::string name, const Naming& naming) {
  for (const auto& [from, to] : naming.respellings) {
    const size_t at = name.find(from), end = at + from.size();
    if (at == name.npos || (at > 0 && name[at - 1] != '.')) continue;
    if (end == name.size() || name[end] == '.' || from.back() == '_') name.replace(at, from.size(), to);
  }
  return name;
}

/// The names under which a module may want the numbers of this tensor: fused, or as one of three parts.
std::vector<std::string> counterparts(const std::string& name) {
  std::vector<std::string> others;
  for (const Projection& one : projections) {
    for (const auto part : one.split) {
      if (ends_in(name, part)) others.push_back(with_ending(name, part, one.fused));
      if (ends_in(name, one.fused)) others.push_back(with_ending(name, one.fused, part));
    }
  }
  return others;
}

}  // namespace

std::span<const Naming> namings() { return all_namings; }

std::string canonical(std::string_view name) {
  std::vector<std::string_view> words;
  for (size_t begin = 0; begin <= name.size();) {
    const size_t end = std::min(name.find('.', begin), name.size());
    words.push_back(name.substr(begin, end - begin));
    begin = end + 1;
  }
  std::string result;
  for (size_t i = 0; i < words.size(); ++i) {
    const bool is_wrapper = (words[i] == "module" || words[i] == "_orig_mod") && i + 1 < words.size();
    const bool is_chunk =
        i > 0 && words[i - 1] == "blocks" && is_number(words[i]) && i + 1 < words.size() && is_number(words[i + 1]);
    if (is_wrapper || is_chunk) continue;
    if (!result.empty()) result += '.';
    result += words[i];
  }
  return result;
}

bool ends_in(const std::string& name, std::string_view ending) {
  if (!name.ends_with(ending)) return false;
  return name.size() == ending.size() || name[name.size() - ending.size() - 1] == '.';
}

PublishedTensors::PublishedTensors(const std::vector<NamedTensor>& tensors, const std::string& place,
                                   const Naming& naming)
    : naming_(naming) {
  for (const NamedTensor& entry : tensors) {
    if (ends_in(entry.name, "num_batches_tracked")) continue;  // PyTorch's batch-norm counter, which is not used
    const auto [known, is_new] = tensors_.emplace(respelled(canonical(entry.name), naming), entry);
    if (is_new) continue;
    if (&naming == all_namings)
      throw Error(fmt::format("{}: '{}' and '{}' are two names of one tensor", place, known->second.name, entry.name));
    tensors_.clear();  // these are not its names
    return;
  }
}

bool PublishedTensors::is_zero(const std::string& name) const {
  return std::ranges::any_of(zero_without, [&](const ZeroWithout& one) {
    return ends_in(name, one.name) && !stores(name) && stores(with_ending(name, one.name, one.companion));
  });
}

PublishedTensors::Taken PublishedTensors::take(const std::string& name) {
  if (tensors_.contains(name)) {
    const NamedTensor& own = use(name);
    return {own.tensor, {own}};
  }
  if (const auto parts = parts_of(name); !parts.empty()) return fuse(parts);
  if (const auto whole = fused_of(name)) return split(whole->first, whole->second);
  return {};
}

std::map<std::string, int64_t> PublishedTensors::counts(const std::vector<std::string>& names) const {
  const std::set<std::string> wanted(names.begin(), names.end());
  std::set<std::string> prefixes;
  for (const auto& [name, entry] : tensors_) {
    for (size_t begin = 0; begin < name.size(); begin = std::min(name.find('.', begin), name.size() - 1) + 1) {
      const std::string rest = name.substr(begin);
      const auto is_needed = [&](const std::string& one) { return wanted.contains(one); };
      if (wanted.contains(rest) || std::ranges::any_of(counterparts(rest), is_needed)) {
        prefixes.insert(name.substr(0, begin));
      }
    }
  }
  std::map<std::string, int64_t> counted;
  for (const std::string& prefix : prefixes) {
    counted[prefix] = std::ranges::count_if(names, [&](const auto& name) { return contains(prefix + name); });
  }
  return counted;
}

std::string PublishedTensors::common_prefix() const {
  std::string common;
  bool is_first = true;
  for (const std::string& used : used_) {
    const std::string& name = tensors_.at(used).name;
    if (is_first) common = name;
    is_first = false;
    common.resize(static_cast<size_t>(std::ranges::mismatch(common, name).in1 - common.begin()));
  }
  return common.substr(0, common.rfind('.') + 1);
}

std::vector<std::pair<std::string, NamedTensor>> PublishedTensors::unused(const std::string& prefix) const {
  std::vector<std::pair<std::string, NamedTensor>> rest;
  for (const auto& [name, entry] : tensors_) {
    if (name.starts_with(prefix) && !used_.contains(name)) rest.emplace_back(name.substr(prefix.size()), entry);
  }
  return rest;
}

bool PublishedTensors::stores(const std::string& name) const {
  return tensors_.contains(name) || !parts_of(name).empty() || fused_of(name).has_value();
}

std::vector<std::string> PublishedTensors::parts_of(const std::string& name) const {
  for (const Projection& one : projections) {
    if (!ends_in(name, one.fused)) continue;
    std::vector<std::string> parts;
    for (const auto part : one.split) parts.push_back(with_ending(name, one.fused, part));
    if (std::ranges::all_of(parts, [&](const auto& part) { return tensors_.contains(part); })) return parts;
  }
  return {};
}

std::optional<std::pair<std::string, int>> PublishedTensors::fused_of(const std::string& name) const {
  for (const Projection& one : projections) {
    for (int part = 0; part < 3; ++part) {
      const auto ending = one.split[static_cast<size_t>(part)];
      if (!ends_in(name, ending)) continue;
      const std::string whole = with_ending(name, ending, one.fused);
      if (tensors_.contains(whole)) return std::pair(whole, part);
    }
  }
  return std::nullopt;
}

const NamedTensor& PublishedTensors::use(const std::string& name) {
  used_.insert(name);
  return tensors_.at(name);
}

/// The rows of the parts, concatenated.
PublishedTensors::Taken PublishedTensors::fuse(const std::vector<std::string>& names) {
  Taken taken;
  std::vector<double> values;
  int64_t rows = 0;
  for (const std::string& name : names) taken.of.push_back(use(name));
  const Tensor& first = taken.of[0].tensor;
  for (const NamedTensor& part : taken.of) {
    if (part.tensor.rank() == 0 || part.tensor.shape().with(0, 0) != first.shape().with(0, 0)) return taken;
    const auto more = part.tensor.to_doubles();
    values.insert(values.end(), more.begin(), more.end());
    rows += part.tensor.size(0);
  }
  taken.tensor = Tensor::from_host(values, first.shape().with(0, rows), first.dtype(), first.device());
  return taken;
}

PublishedTensors::Taken PublishedTensors::split(const std::string& whole, int part) {
  Taken taken{{}, {use(whole)}};
  const Tensor& fused = taken.of[0].tensor;
  if (fused.rank() == 0 || fused.size(0) % 3 != 0) return taken;
  const int64_t rows = fused.size(0) / 3;
  taken.tensor = fused.view_rows(part * rows, (part + 1) * rows).clone();
  return taken;
}

}  // namespace astroclip::nn
