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

/// The file's tensors by canonical name, and which of them were requested.
class Source {
 public:
  Source(const std::vector<NamedTensor>& tensors, const std::string& place) {
    for (const NamedTensor& entry : tensors) {
      if (ends_in(entry.name, "num_batches_tracked")) continue;  // PyTorch's batch-norm counter, which is not used
      if (!tensors_.emplace(canonical(entry.name), entry).second) {
        throw Error(fmt::format("{}: '{}' occurs under two names", place, entry.name));
      }
    }
  }

  bool contains(const std::string& name) const {
    return tensors_.contains(name) || !parts_of(name).empty() || fused_of(name).has_value();
  }

  /// Undefined if there is none.
  Tensor take(const std::string& name) {
    if (tensors_.contains(name)) return use(name);
    if (const auto parts = parts_of(name); !parts.empty()) return fuse(parts);
    if (const auto whole = fused_of(name)) return split(whole->first, whole->second);
    return {};
  }

  /// The prefix that matches most names; among equals the shortest, then a teacher's.
  std::string best_prefix(const std::vector<std::string>& names) const {
    std::set<std::string> prefixes = {""};
    for (const auto& [name, entry] : tensors_) {
      for (size_t dot = name.find('.'); dot != name.npos; dot = name.find('.', dot + 1)) {
        prefixes.insert(name.substr(0, dot + 1));
      }
    }
    std::string best;
    auto best_rank = std::tuple(int64_t{-1}, int64_t{0}, false);
    for (const std::string& prefix : prefixes) {
      const auto found = std::ranges::count_if(names, [&](const auto& name) { return contains(prefix + name); });
      const auto rank =
          std::tuple(int64_t{found}, -static_cast<int64_t>(prefix.size()), prefix.starts_with("teacher."));
      if (rank > best_rank) {
        best_rank = rank;
        best = prefix;
      }
    }
    return best;
  }

  std::vector<std::string> unused(const std::string& prefix) const {
    std::vector<std::string> names;
    for (const auto& [name, entry] : tensors_) {
      if (name.starts_with(prefix) && !used_.contains(name)) names.push_back(entry.name);
    }
    return names;
  }

 private:
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

}  // namespace

void load_published(Module& module, const std::vector<NamedTensor>& source, const std::string& place,
                    const std::string& part, Loading how) {
  Source given(source, place);
  const std::vector<NamedTensor> wanted = state_of(module, part);
  const std::vector<std::string> names = names_of(wanted, part);
  const std::string prefix = given.best_prefix(names);
  std::vector<NamedTensor> renamed;
  for (size_t i = 0; i < wanted.size(); ++i) {
    const Tensor tensor = given.take(prefix + names[i]);
    if (tensor.defined()) renamed.push_back({wanted[i].name, tensor});
  }
  LoadReport report = compare_state(wanted, renamed);
  report.unexpected = given.unused(prefix);
  // The file may also hold other parts of the module (a head beside its backbone).
  for (const std::string& name : names_of(module.state(), "")) {
    if (!is_below(name, part)) std::erase(report.unexpected, prefix + name);
  }
  if (report.complete() && report.unexpected.empty()) {
    load_state(wanted, renamed, how);
    return;
  }
  std::string message = fmt::format("{}: its tensors{} do not fit the module", place,
                                    prefix.empty() ? "" : fmt::format(" under '{}'", prefix));
  add_list(message, "missing", report.missing);
  add_list(message, "unexpected", report.unexpected);
  add_list(message, "misshapen", report.misshapen);
  throw Error(message);
}

void load_published(Module& module, const std::string& path, const std::string& part) {
  load_published(module, io::read_weights(path, Device::host()).tensors, path, part);
}

int64_t count_published(const Module& module, const std::vector<NamedTensor>& source, const std::string& place,
                        const std::string& part) {
  const Source given(source, place);
  const std::vector<std::string> names = names_of(state_of(module, part), part);
  const std::string prefix = given.best_prefix(names);
  return std::ranges::count_if(names, [&](const std::string& name) { return given.contains(prefix + name); });
}

}  // namespace astroclip::nn
