#include "nn/published_weights.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string_view>
#include <tuple>

#include "base/error.h"
#include "io/weights/weights_file.h"

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

/// How another library names the parts of a ViT, and how DINOv2 and timm do. A pattern matches whole components, or,
/// when it ends in "_", the beginning of the last one.
struct Respelling {
  std::string_view from, to;
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
struct Naming {
  std::string_view library;
  std::span<const Respelling> respellings;
};
constexpr Naming namings[] = {{"", of_timm}, {"transformers", of_transformers}, {"torchvision", of_torchvision}};

/// Tensors that a file may lack because they are zero then, and what it must hold for that: masks are only used in
/// pretraining, and a projection without bias is one with a bias of zero.
struct ZeroWithout {
  std::string_view name, companion;
};
constexpr ZeroWithout zero_without[] = {{"mask_token", "pos_embed"}, {"attn.qkv.bias", "attn.qkv.weight"}};

/// Parts that some ViTs have before or between their blocks; a file that has one is of another network.
constexpr std::string_view network_parts[] = {"cls_token", "register_tokens", "dist_token", "pos_embed",
                                              "norm_pre",  "ln_pre",          "rope",       "rel_pos_bias",
                                              "fc_norm",   "patch_embed",     "blocks",     "norm"};

bool is_number(std::string_view word) {
  return !word.empty() && std::ranges::all_of(word, [](char c) { return c >= '0' && c <= '9'; });
}

/// The name without the prefixes of wrappers (parallel, compiled) and without the chunk of a block.
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

/// Whether the name ends in `ending` at a component boundary ("qkv.weight" does not end in "v.weight").
bool ends_in(const std::string& name, std::string_view ending) {
  if (!name.ends_with(ending)) return false;
  return name.size() == ending.size() || name[name.size() - ending.size() - 1] == '.';
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

/// The file's tensors by canonical name, and which of them were requested. None if another library's naming makes one
/// name of two.
class Source {
 public:
  Source(const std::vector<NamedTensor>& tensors, const std::string& place, const Naming& naming) : naming_(naming) {
    for (const NamedTensor& entry : tensors) {
      if (ends_in(entry.name, "num_batches_tracked")) continue;  // PyTorch's batch-norm counter, which is not used
      if (tensors_.emplace(respelled(canonical(entry.name), naming), entry).second) continue;
      if (&naming == namings) throw Error(fmt::format("{}: '{}' occurs under two names", place, entry.name));
      tensors_.clear();  // these are not its names
      return;
    }
  }

  std::string naming() const { return std::string(naming_.library); }
  bool contains(const std::string& name) const { return stores(name) || is_zero(name); }
  /// Whether the tensor is zero because the file lacks it.
  bool is_zero(const std::string& name) const {
    return std::ranges::any_of(zero_without, [&](const ZeroWithout& one) {
      return ends_in(name, one.name) && !stores(name) && stores(with_ending(name, one.name, one.companion));
    });
  }

  /// Undefined if there is none.
  Tensor take(const std::string& name) {
    if (tensors_.contains(name)) return use(name);
    if (const auto parts = parts_of(name); !parts.empty()) return fuse(parts);
    if (const auto whole = fused_of(name)) return split(whole->first, whole->second);
    return {};
  }

  /// How many of the names stand under each prefix that has any.
  std::map<std::string, int64_t> counts(const std::vector<std::string>& names) const {
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

  /// The longest beginning, in whole components, that the names have in common in the file.
  std::string common_prefix() const {
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

  /// Those under the prefix that were not requested: canonical name without the prefix, and the file's entry.
  std::vector<std::pair<std::string, NamedTensor>> unused(const std::string& prefix) const {
    std::vector<std::pair<std::string, NamedTensor>> rest;
    for (const auto& [name, entry] : tensors_) {
      if (name.starts_with(prefix) && !used_.contains(name)) rest.emplace_back(name.substr(prefix.size()), entry);
    }
    return rest;
  }
  void forget_requests() { used_.clear(); }

 private:
  bool stores(const std::string& name) const {
    return tensors_.contains(name) || !parts_of(name).empty() || fused_of(name).has_value();
  }
  /// The names under which a module may want the numbers of this tensor: fused, or as one of three parts.
  static std::vector<std::string> counterparts(const std::string& name) {
    std::vector<std::string> others;
    for (const Projection& one : projections) {
      for (const auto part : one.split) {
        if (ends_in(name, part)) others.push_back(with_ending(name, part, one.fused));
        if (ends_in(name, one.fused)) others.push_back(with_ending(name, one.fused, part));
      }
    }
    return others;
  }
  std::vector<std::string> parts_of(const std::string& name) const {
    for (const Projection& one : projections) {
      if (!ends_in(name, one.fused)) continue;
      std::vector<std::string> parts;
      for (const auto part : one.split) parts.push_back(with_ending(name, one.fused, part));
      if (std::ranges::all_of(parts, [&](const auto& part) { return tensors_.contains(part); })) return parts;
    }
    return {};
  }
  std::optional<std::pair<std::string, int>> fused_of(const std::string& name) const {
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
  const Tensor& use(const std::string& name) {
    used_.insert(name);
    return tensors_.at(name).tensor;
  }
  /// The rows of the parts, concatenated; undefined if the parts do not match.
  Tensor fuse(const std::vector<std::string>& names) {
    std::vector<double> values;
    int64_t rows = 0;
    const Tensor first = use(names[0]);
    for (const std::string& name : names) {
      const Tensor& part = use(name);
      if (part.rank() == 0 || part.shape().with(0, 0) != first.shape().with(0, 0)) return {};
      const auto more = part.to_doubles();
      values.insert(values.end(), more.begin(), more.end());
      rows += part.size(0);
    }
    return Tensor::from_host(values, first.shape().with(0, rows), first.dtype(), first.device());
  }
  Tensor split(const std::string& whole, int part) {
    const Tensor& fused = use(whole);
    if (fused.rank() == 0 || fused.size(0) % 3 != 0) return {};
    const int64_t rows = fused.size(0) / 3;
    return fused.view_rows(part * rows, (part + 1) * rows).clone();
  }

  const Naming& naming_;
  std::map<std::string, NamedTensor> tensors_;
  std::set<std::string> used_;
};

bool is_below(const std::string& name, const std::string& part) { return part.empty() || name.starts_with(part + "."); }

/// The tensors of a part, by the module's names.
std::vector<NamedTensor> state_of(const Module& module, const std::string& part) {
  std::vector<NamedTensor> state = module.state();
  std::erase_if(state, [&](const NamedTensor& entry) { return !is_below(entry.name, part); });
  return state;
}

/// Their canonical names, relative to the part.
std::vector<std::string> names_of(const std::vector<NamedTensor>& state, const std::string& part) {
  std::vector<std::string> names;
  for (const NamedTensor& entry : state) {
    names.push_back(canonical(entry.name.substr(part.empty() ? 0 : part.size() + 1)));
  }
  return names;
}

void add_list(std::string& message, const char* title, const std::vector<std::string>& names) {
  constexpr size_t most = 40;
  if (names.empty()) return;
  const std::span shown = std::span(names).first(std::min(names.size(), most));
  message += fmt::format("\n  {} ({}): {}", title, names.size(), fmt::join(shown, ", "));
  if (names.size() > most) message += fmt::format(", and {} more", names.size() - most);
}

/// The first component without its digits: that of "layer5.0.bn1.weight" is that of a layer that the module has.
std::string kind_of_part(std::string name) {
  if (name.starts_with("backbone.")) name.erase(0, std::string("backbone.").size());
  name = name.substr(0, name.find('.'));
  std::erase_if(name, [](char c) { return c >= '0' && c <= '9'; });
  return name;
}

/// A module, or the part of it that a file is to fill.
struct Target {
  Target(const Module& module, const std::string& part) : state(state_of(module, part)), names(names_of(state, part)) {
    for (const std::string& name : names) parts.insert(kind_of_part(name));
    for (const std::string& name : names_of(module.state(), "")) {
      if (!is_below(name, part)) others.insert(name);
    }
  }

  /// The tensor of that name, or null.
  static NamedTensor* find(std::vector<NamedTensor>& tensors, std::string_view name) {
    const auto found = std::ranges::find_if(tensors, [&](const NamedTensor& one) { return ends_in(one.name, name); });
    return found == tensors.end() ? nullptr : &*found;
  }

  std::vector<NamedTensor> state;
  std::vector<std::string> names;  ///< canonical, relative to the part, in the order of `state`
  std::set<std::string> parts;     ///< see kind_of_part
  std::set<std::string> others;    ///< names of the rest of the module
};

Tensor rows_of(const Tensor& tokens, int64_t begin, int64_t end) {  // of [1, N, D]
  return tokens.view_as({tokens.size(1), tokens.size(2)}).view_rows(begin, end);
}

Tensor tokens_from(std::vector<double> values, const Tensor& like) {
  const auto rows = static_cast<int64_t>(values.size()) / like.size(2);
  return Tensor::from_host(values, {1, rows, like.size(2)}, like.dtype(), like.device());
}

/// Brings the positions of timm's ViTs into DINOv2's form, which gives the same sums: the class token's position is
/// zero where positions are those of patches alone, and positions of registers are added to the registers.
void adapt_positions(std::vector<NamedTensor>& given, std::vector<NamedTensor> wanted) {
  NamedTensor* positions = Target::find(given, "pos_embed");
  NamedTensor* registers = Target::find(given, "register_tokens");
  const NamedTensor* expected = Target::find(wanted, "pos_embed");
  if (positions == nullptr || expected == nullptr || positions->tensor.rank() != 3 || expected->tensor.rank() != 3)
    return;
  const Tensor from = positions->tensor;
  const int64_t missing = expected->tensor.size(1) - from.size(1),
                classes = Target::find(wanted, "cls_token") != nullptr;
  if (missing == 1 && classes == 1) {
    std::vector<double> values(static_cast<size_t>(from.size(2)), 0.0);
    const std::vector<double> patches = from.to_doubles();
    values.insert(values.end(), patches.begin(), patches.end());
    positions->tensor = tokens_from(values, from);
  } else if (registers != nullptr && registers->tensor.rank() == 3 && missing == -registers->tensor.size(1) &&
             registers->tensor.size(2) == from.size(2)) {
    const int64_t end = classes - missing;
    std::vector<double> values = rows_of(from, 0, classes).to_doubles();
    const std::vector<double> patches = rows_of(from, end, from.size(1)).to_doubles();
    values.insert(values.end(), patches.begin(), patches.end());
    std::vector<double> sums = registers->tensor.to_doubles();
    const std::vector<double> added = rows_of(from, classes, end).to_doubles();
    for (size_t i = 0; i < sums.size(); ++i) sums[i] += added[i];
    registers->tensor = tokens_from(sums, registers->tensor);
    positions->tensor = tokens_from(values, from);
  }
}

/// A target filled from under one prefix of a file.
struct Fit {
  std::string prefix;  ///< canonical
  std::vector<NamedTensor> tensors;
  LoadReport report;
  Published published;

  bool is_whole() const { return report.complete() && report.unexpected.empty(); }
};

std::vector<int64_t> without_ones(const Shape& shape) {
  std::vector<int64_t> extents(shape.extents().begin(), shape.extents().end());
  std::erase(extents, 1);
  return extents;
}

Fit fit(const Target& target, Source& source, const std::string& prefix) {
  Fit result{prefix, {}, {}, {}};
  source.forget_requests();
  for (size_t i = 0; i < target.state.size(); ++i) {
    const NamedTensor& wanted = target.state[i];
    const Shape& shape = wanted.tensor.shape();
    Tensor tensor = source.take(prefix + target.names[i]);
    if (!tensor.defined() && source.is_zero(prefix + target.names[i])) {
      tensor = Tensor::zeros(shape, wanted.tensor.dtype(), wanted.tensor.device());
      result.published.zeros.push_back(wanted.name);
    }
    if (!tensor.defined()) continue;
    if (tensor.shape() != shape && without_ones(tensor.shape()) == without_ones(shape)) tensor = tensor.view_as(shape);
    result.tensors.push_back({wanted.name, tensor});
  }
  adapt_positions(result.tensors, target.state);
  result.report = compare_state(target.state, result.tensors);
  result.published.prefix = source.common_prefix();
  result.published.naming = source.naming();
  for (const auto& [name, entry] : source.unused(prefix)) {
    if (target.others.contains(name)) continue;
    const std::string part = kind_of_part(name);
    const bool is_integer = entry.tensor.dtype() == DType::i64 || entry.tensor.dtype() == DType::i32;
    const bool is_network =
        target.parts.contains(part) || std::ranges::find(network_parts, part) != std::end(network_parts);
    (is_network && !is_integer ? result.report.unexpected : result.published.left_out).push_back(entry.name);
  }
  return result;
}

bool has_component(const std::string& name, const std::string& component) {
  return ("." + name).find("." + component + ".") != std::string::npos;
}

/// Of a student and its teacher the teacher is what DINO's authors evaluate and publish.
void prefer_teacher(std::vector<Fit>& fits) {
  const auto is_teachers = [](const Fit& one) { return has_component(one.published.prefix, "teacher"); };
  if (!std::ranges::any_of(fits, is_teachers)) return;
  std::erase_if(fits, [](const Fit& one) { return has_component(one.published.prefix, "student"); });
}

/// The best of the prefixes that hold any tensors of the target: most names, then the shortest, then a teacher's.
std::pair<std::string, int64_t> best_prefix(const std::map<std::string, int64_t>& counts) {
  const auto rank = [](const auto& one) {
    return std::tuple(one.second, -static_cast<int64_t>(one.first.size()), one.first.starts_with("teacher."));
  };
  const auto best = std::ranges::max_element(counts, {}, rank);
  return best == counts.end() ? std::pair<std::string, int64_t>() : std::pair(best->first, best->second);
}

/// All fits with every tensor of the target, or else the best one without.
std::vector<Fit> fits_of(const Target& target, const std::vector<NamedTensor>& source, const std::string& place) {
  const auto all = static_cast<int64_t>(target.names.size());
  std::vector<Fit> whole;
  std::optional<Fit> best;
  int64_t most = -1;
  for (const Naming& naming : namings) {
    Source given(source, place, naming);
    const auto counts = given.counts(target.names);
    const auto [prefix, count] = best_prefix(counts);
    for (const auto& [candidate, found] : counts) {
      if (found < all && candidate != prefix) continue;
      Fit one = fit(target, given, candidate);
      if (one.is_whole()) {
        const auto is_same = [&](const Fit& known) { return known.published.prefix == one.published.prefix; };
        if (std::ranges::none_of(whole, is_same)) whole.push_back(std::move(one));
      } else if (candidate == prefix && count > most) {
        most = count;
        best = std::move(one);
      }
    }
  }
  if (!whole.empty()) return whole;
  if (best) return {*best};
  Source given(source, place, namings[0]);
  return {fit(target, given, "")};
}

[[noreturn]] void refuse_misfit(const Fit& misfit, const std::string& place) {
  std::string message = fmt::format("{}: its tensors{} do not fit the module", place,
                                    misfit.prefix.empty() ? "" : fmt::format(" under '{}'", misfit.prefix));
  std::vector<std::string> unexpected = misfit.report.unexpected;
  unexpected.insert(unexpected.end(), misfit.published.left_out.begin(), misfit.published.left_out.end());
  add_list(message, "missing", misfit.report.missing);
  add_list(message, "unexpected", unexpected);
  add_list(message, "misshapen", misfit.report.misshapen);
  throw Error(message);
}

std::string quoted(const std::vector<std::string>& prefixes) {
  std::vector<std::string> shown;
  for (const std::string& prefix : prefixes) shown.push_back("'" + prefix + "'");
  return fmt::format("{}", fmt::join(shown, " and "));
}

std::vector<std::string> prefixes_of(const std::vector<Fit>& fits) {
  std::vector<std::string> prefixes;
  for (const Fit& one : fits) prefixes.push_back(one.published.prefix);
  return prefixes;
}

/// Keeps the tensors at or below a prefix, which is written as in the file, with its last dot or without.
std::vector<NamedTensor> below(std::vector<NamedTensor> source, std::string prefix, const std::string& place) {
  if (!prefix.empty() && prefix.back() != '.') prefix += '.';
  const size_t all = source.size();
  std::erase_if(source, [&](const NamedTensor& entry) { return !entry.name.starts_with(prefix); });
  if (source.empty()) throw Error(fmt::format("{}: none of its {} tensors is named '{}…'", place, all, prefix));
  return source;
}

}  // namespace

std::string Published::text() const {
  std::string all = prefix.empty() ? "the whole file" : fmt::format("'{}'", prefix);
  if (!naming.empty()) all += fmt::format(", named as in {}", naming);
  const auto list = [&](const char* title, const std::vector<std::string>& names) {
    constexpr size_t most = 6;
    if (names.empty()) return;
    const std::span shown = std::span(names).first(std::min(names.size(), most));
    all += fmt::format("; {} {}{}", title, fmt::join(shown, ", "),
                       names.size() > most ? fmt::format(" and {} more", names.size() - most) : "");
  };
  list("not needed:", left_out);
  list("not in the file, and zero without:", zeros);
  return all;
}

Published load_published(Module& module, const std::vector<NamedTensor>& source, const std::string& place,
                         const std::string& part, Loading how, const std::optional<std::string>& prefix) {
  const Target target(module, part);
  std::vector<Fit> fits = fits_of(target, prefix ? below(source, *prefix, place) : source, place);
  if (!fits[0].is_whole()) refuse_misfit(fits[0], place);
  if (prefix && fits.size() > 1) {  // the one at the prefix itself, if there is one
    std::erase_if(fits, [&](const Fit& one) { return one.published.prefix.size() > prefix->size() + 1; });
  }
  prefer_teacher(fits);
  if (fits.size() > 1) {
    throw Error(
        fmt::format("{}: holds {} sets of weights that fit, under {}; choose one by --prefix of `astroclip "
                    "convert`",
                    place, fits.size(), quoted(prefixes_of(fits))));
  }
  load_state(target.state, fits[0].tensors, how);
  return fits[0].published;
}

Published load_published(Module& module, const std::string& path, const std::string& part) {
  return load_published(module, io::read_weights(path, Device::host()).tensors, path, part);
}

std::vector<std::string> fitting_prefixes(const Module& module, const std::vector<NamedTensor>& source,
                                          const std::string& place, const std::string& part) {
  std::vector<Fit> fits = fits_of(Target(module, part), source, place);
  return fits[0].is_whole() ? prefixes_of(fits) : std::vector<std::string>();
}

int64_t count_published(const Module& module, const std::vector<NamedTensor>& source, const std::string& place,
                        const std::string& part) {
  const std::vector<std::string> names = names_of(state_of(module, part), part);
  int64_t most = 0;
  for (const Naming& naming : namings) {
    most = std::max(most, best_prefix(Source(source, place, naming).counts(names)).second);
  }
  return most;
}

}  // namespace astroclip::nn
