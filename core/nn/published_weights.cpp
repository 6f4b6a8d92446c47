#include "nn/published_weights.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string_view>
#include <tuple>

#include "base/error.h"
#include "io/weights/weights_file.h"
#include "nn/published_names_internal.h"

namespace astroclip::nn {

namespace {

/// Parts that some ViTs have before or between their blocks; a file that has one is of another network.
constexpr std::string_view network_parts[] = {"cls_token", "register_tokens", "dist_token", "pos_embed",
                                              "norm_pre",  "ln_pre",          "rope",       "rel_pos_bias",
                                              "fc_norm",   "patch_embed",     "blocks",     "norm"};

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

/// What a file has for a tensor of the module.
struct Origin {
  std::string key;              ///< under which it was looked for
  std::vector<NamedTensor> of;  ///< what is there

  /// "'attn.q.bias' [8], 'attn.k.bias' [8], 'attn.v.bias' [8]"
  std::string text() const {
    std::vector<std::string> all;
    for (const auto& [name, tensor, trainable] : of) all.push_back(fmt::format("'{}' {}", name, tensor.shape().str()));
    return fmt::format("{}", fmt::join(all, ", "));
  }
};

/// Compares a target with the tensors for it, by the module's names; says which the file has, or lacks.
LoadReport compare(const Target& target, const std::vector<NamedTensor>& given,
                   const std::map<std::string, Origin>& origins) {
  std::map<std::string, NamedTensor> by_name;
  for (const NamedTensor& entry : given) by_name.emplace(entry.name, entry);
  LoadReport report;
  for (const NamedTensor& wanted : target.state) {
    const auto found = by_name.find(wanted.name);
    const Origin& origin = origins.at(wanted.name);
    if (found != by_name.end()) {
      for (const std::string& text : compare_state({wanted}, {found->second}).misshapen)
        report.misshapen.push_back(fmt::format("{} (of {})", text, origin.text()));
    } else if (origin.of.empty()) {
      report.missing.push_back(fmt::format("{} ('{}')", wanted.name, origin.key));
    } else {
      report.misshapen.push_back(fmt::format("{}: expected {}, which {} cannot be made into", wanted.name,
                                             wanted.tensor.shape().str(), origin.text()));
    }
  }
  return report;
}

Fit fit(const Target& target, PublishedTensors& source, const std::string& prefix) {
  Fit result{prefix, {}, {}, {}};
  std::map<std::string, Origin> origins;
  source.forget_requests();
  for (size_t i = 0; i < target.state.size(); ++i) {
    const NamedTensor& wanted = target.state[i];
    const Shape& shape = wanted.tensor.shape();
    const std::string key = prefix + target.names[i];
    auto [tensor, of] = source.take(key);
    if (!tensor.defined() && source.is_zero(key)) {
      tensor = Tensor::zeros(shape, wanted.tensor.dtype(), wanted.tensor.device());
      result.published.zeros.push_back(wanted.name);
    }
    origins[wanted.name] = {key, std::move(of)};
    if (!tensor.defined()) continue;
    if (tensor.shape() != shape && without_ones(tensor.shape()) == without_ones(shape)) tensor = tensor.view_as(shape);
    result.tensors.push_back({wanted.name, tensor});
  }
  adapt_positions(result.tensors, target.state);
  result.report = compare(target, result.tensors, origins);
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
  for (const Naming& naming : namings()) {
    PublishedTensors given(source, place, naming);
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
  PublishedTensors given(source, place, namings()[0]);
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
  for (const Naming& naming : namings()) {
    most = std::max(most, best_prefix(PublishedTensors(source, place, naming).counts(names)).second);
  }
  return most;
}

}  // namespace astroclip::nn
