#include "io/weights/pytorch_file.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <optional>
#include <unordered_map>
#include <utility>

#include "base/error.h"
#include "base/printable.h"
#include "io/mapped_file.h"
#include "io/weights/pytorch_storages_internal.h"

namespace astroclip::io {

namespace {

using pickle::Value;
using Kind = Value::Kind;

constexpr std::string_view sections[] = {"state_dict", "model", "teacher"};

// Values of a pickle may share parts, so a small file can describe a huge tree. These limits bound the walk.
constexpr size_t most_tensors = 100'000;
constexpr size_t most_metadata = 10'000;
constexpr int most_visits = 1'000'000;
constexpr int deepest_name = 16;
constexpr size_t longest_name = 512;
constexpr size_t longest_text = 4096;
constexpr int64_t most_elements = int64_t{1} << 40;
/// An expanded tensor may have at most this many elements more than its storage.
constexpr int64_t most_repeated = int64_t{1} << 24;

/// A tensor that is sound, but of a kind that cannot be read.
class Unreadable : public Error {
 public:
  using Error::Error;
};

bool is_dict(const Value& value) {
  return value.is(Kind::dict) ||
         (value.is(Kind::object) && (value.text == "collections.OrderedDict" ||
                                     value.text == "collections.defaultdict" || !value.entries.empty()));
}

/// Whether the value is a pickled tensor.
bool is_rebuilt(const Value& value) {
  return value.is(Kind::object) &&
         (value.text.starts_with("torch._utils._rebuild_") || value.text.starts_with("torch._tensor._rebuild_"));
}

/// The dtype of such a tensor where the pickle tells it, else the function that makes it.
const std::string& kind_of_tensor(const Value& value) {
  constexpr size_t place_of_dtype = 6;
  const auto& parts = value.arguments->items;
  const bool tells_dtype = value.text == "torch._utils._rebuild_tensor_v3" && parts.size() > place_of_dtype &&
                           parts[place_of_dtype]->is(Kind::global);
  return tells_dtype ? parts[place_of_dtype]->text : value.text;
}

std::string join(const std::string& prefix, const std::string& name) {
  return prefix.empty() ? name : prefix + "." + name;
}

std::vector<int64_t> integers_of(const Value& tuple, const char* what) {
  std::vector<int64_t> integers;
  if (!tuple.is(Kind::tuple) && !tuple.is(Kind::list) && !tuple.is_object("torch.Size")) {
    throw Error(fmt::format("its {} is not a tuple", what));
  }
  const bool wrapped = tuple.is(Kind::object) && tuple.arguments->items.size() == 1;
  const auto& items = wrapped ? tuple.arguments->items[0]->items : tuple.items;
  for (const Value* item : items) {
    if (!item->is(Kind::integer) || item->integer < 0)
      throw Error(fmt::format("its {} must be non-negative integers", what));
    integers.push_back(item->integer);
  }
  if (integers.size() > Shape::max_rank) {
    throw Unreadable(fmt::format("{} axes; at most {} are supported", integers.size(), Shape::max_rank));
  }
  return integers;
}

void check_count(const std::vector<int64_t>& extents, int64_t storage_elements) {
  int64_t product = 1;
  bool is_empty = false;
  for (const int64_t extent : extents) {
    is_empty |= extent == 0;
    if (__builtin_mul_overflow(product, std::max<int64_t>(extent, 1), &product) || product > most_elements) {
      throw Error(fmt::format("its shape [{}] is too large", fmt::join(extents, ", ")));
    }
  }
  if (!is_empty && product - most_repeated > storage_elements) {
    throw Error(fmt::format("its shape [{}] repeats a storage of {} elements too often", fmt::join(extents, ", "),
                            storage_elements));
  }
}

bool is_plain(const Value& value) {
  switch (value.kind) {
    case Kind::none:
    case Kind::boolean:
    case Kind::integer:
    case Kind::real:
      return true;
    case Kind::text:
      return value.text.size() <= longest_text;
    default:
      return false;
  }
}

std::string plain_text(const Value& value) {
  switch (value.kind) {
    case Kind::boolean:
      return value.integer != 0 ? "true" : "false";
    case Kind::integer:
      return std::to_string(value.integer);
    case Kind::real:
      return fmt::format("{}", value.real);
    case Kind::text:
      return value.text;
    default:
      return "none";
  }
}

}  // namespace

struct PytorchFile::Contents {
  explicit Contents(const std::string& file) : path(file), mapping(file) {
    archive = read_pytorch_archive(mapping.bytes(), path);
    const Value& root = archive.document.root();
    const bool is_sequence = root.is(Kind::list) || root.is(Kind::tuple);
    if (!is_dict(root) && !is_sequence && !is_rebuilt(root)) {
      throw Error(fmt::format(
          "{}: holds {}, not a dict of tensors; save the model's state_dict() instead", path,
          root.is(Kind::object) ? fmt::format("an object of class {}", printable(root.text)) : "a plain value"));
    }
    if (is_sequence) {  // [state_dict, …]
      for (size_t i = 0; i < root.items.size(); ++i) collect(*root.items[i], std::to_string(i), 0);
    } else {
      collect(root, "", 0);
    }
    if (entries.empty()) {
      const bool has_object = std::ranges::any_of(
          root.entries, [](const auto& entry) { return entry.second->is(Kind::object) && !is_dict(*entry.second); });
      throw Error(fmt::format("{}: holds no tensors{}{}", path, skipped.empty() ? "" : " that can be read: ",
                              !skipped.empty() ? printable(fmt::format("{}", fmt::join(skipped, ", ")))
                              : has_object     ? "; save the model's state_dict() rather than the model itself"
                                               : ""));
    }
    for (const std::string_view name : sections) {
      const std::string begin = std::string(name) + ".";
      if (std::ranges::any_of(entries, [&](const Entry& entry) { return entry.name.starts_with(begin); })) {
        section = name;
        break;
      }
    }
  }

  [[noreturn]] void refuse(const std::string& name, const std::string& reason) const {
    throw Error(fmt::format("{}: tensor '{}': {}", path, printable(name), printable(reason)));
  }

  /// nullopt if the value is not a tensor of a supported kind.
  std::optional<StridedElements> tensor_of(const Value& value) const {
    if (!value.is(Kind::object)) return std::nullopt;
    return rebuilt(value.text, value.arguments->items);
  }

  /// The tensor that PyTorch's function of that name would construct.
  std::optional<StridedElements> rebuilt(const std::string& function, const std::vector<const Value*>& parts) const {
    if (function == "torch._utils._rebuild_parameter" || function == "torch._utils._rebuild_parameter_with_state") {
      return parts.empty() ? std::nullopt : tensor_of(*parts[0]);
    }
    if (function == "torch._tensor._rebuild_from_type_v2") {  // a subclass, or a tensor with attributes
      const bool is_described = parts.size() >= 3 && parts[0]->is(Kind::global) && parts[2]->is(Kind::tuple);
      return is_described ? rebuilt(parts[0]->text, parts[2]->items) : std::nullopt;
    }
    if (function != "torch._utils._rebuild_tensor_v2" && function != "torch._utils._rebuild_tensor") {
      return std::nullopt;
    }
    if (parts.size() < 4 || !parts[1]->is(Kind::integer))
      throw Error("its description is not in the form that PyTorch writes");
    constexpr size_t place_of_flags = 6;
    if (parts.size() > place_of_flags && !parts[place_of_flags]->entries.empty()) {
      throw Unreadable("a lazy negative or conjugate; save the result of resolve_neg() or resolve_conj()");
    }
    const auto reference = storage_reference(*parts[0]);
    if (!reference) throw Error("it has no storage");
    if (!reference->type) throw Unreadable(reference->type_name);
    const auto storage = archive.storages.find(reference->key);
    if (storage == archive.storages.end()) throw Error(fmt::format("the file lacks its storage '{}'", reference->key));
    const int64_t elements = static_cast<int64_t>(storage->second.size()) / size_of(*reference->type);
    if (elements < reference->elements) {
      throw Error(fmt::format("its storage '{}' should hold {} elements, but the file has {}", reference->key,
                              reference->elements, elements));
    }
    const auto extents = integers_of(*parts[2], "shape");
    check_count(extents, elements);
    StridedElements strided{*reference->type, storage->second, parts[1]->integer, Shape(extents),
                            integers_of(*parts[3], "strides")};
    if (!strided.fits(reference->elements)) {
      throw Error(fmt::format("its shape {}, strides [{}] and offset {} exceed its storage of {} elements",
                              strided.shape.str(), fmt::join(strided.strides, ", "), strided.offset,
                              reference->elements));
    }
    // The legacy format has no checksum. Strides that repeat some elements and skip others indicate damage.
    if (archive.format == "legacy" && strided.repeats() && !strided.ends_at(reference->elements)) {
      throw Error(fmt::format("its shape {} and strides [{}] repeat some elements of its storage and skip others",
                              strided.shape.str(), fmt::join(strided.strides, ", ")));
    }
    return strided;
  }

  /// Returns false if the value is not a tensor.
  bool read_tensor(const std::string& name, const Value& value) {
    try {
      const auto tensor = tensor_of(value);
      if (!tensor) return false;
      if (!index.emplace(name, entries.size()).second) throw Error("it is listed twice");
      entries.push_back({name, tensor->type, tensor->shape});
      tensors.push_back(*tensor);
      return true;
    } catch (const Unreadable& unreadable) {
      skipped.push_back(fmt::format("{} <{}>", name, unreadable.what()));
      return true;
    } catch (const Error& error) {
      refuse(name, error.what());
    }
  }

  /// Sorts a value, and what it holds, into tensors, tensors that cannot be read, and metadata.
  void collect(const Value& value, const std::string& name, int depth) {
    if (++visits > most_visits) throw Error(fmt::format("{}: more than {} values", path, most_visits));
    if (entries.size() > most_tensors) throw Error(fmt::format("{}: more than {} tensors", path, most_tensors));
    if (depth > deepest_name || name.size() > longest_name) return;
    if (value.is(Kind::object) && read_tensor(name.empty() ? "tensor" : name, value)) return;
    if (is_rebuilt(value)) {
      skipped.push_back(fmt::format("{} <{}>", name, kind_of_tensor(value)));
    } else if (is_dict(value)) {
      for (const auto& [key, part] : value.entries) {
        if (key->is(Kind::text) || key->is(Kind::integer)) collect(*part, join(name, plain_text(*key)), depth + 1);
      }
    } else if (metadata.size() < most_metadata) {
      note(value, name);
    }
  }

  /// Plain values, short lists of them, and the classes of objects.
  void note(const Value& value, const std::string& name) {
    const bool is_sequence = value.is(Kind::list) || value.is(Kind::tuple);
    if (is_plain(value)) {
      metadata[name] = plain_text(value);
    } else if (is_sequence && value.items.size() <= 64 &&
               std::ranges::all_of(value.items, [](const Value* item) { return is_plain(*item); })) {
      std::vector<std::string> texts;
      for (const Value* item : value.items) texts.push_back(plain_text(*item));
      const std::string text = fmt::format("[{}]", fmt::join(texts, ", "));
      if (text.size() <= longest_text) metadata[name] = text;
    } else if (value.is(Kind::object) && value.text.size() <= longest_name) {
      metadata[name] = "<" + value.text + ">";
    }
  }

  std::string path;
  MappedFile mapping;
  PytorchArchive archive;
  std::string_view section;
  std::vector<Entry> entries;
  std::vector<StridedElements> tensors;
  std::unordered_map<std::string, size_t> index;
  std::vector<std::string> skipped;
  Metadata metadata;
  int visits = 0;
};

PytorchFile PytorchFile::open(const std::string& path) {
  PytorchFile file;
  file.contents_ = std::make_shared<const Contents>(path);
  return file;
}

bool PytorchFile::looks_like_one(const std::string& path) { return looks_like_pytorch(MappedFile(path).bytes()); }

const std::string& PytorchFile::path() const { return contents_->path; }
std::string_view PytorchFile::format() const { return contents_->archive.format; }
std::string_view PytorchFile::section() const { return contents_->section; }
const std::vector<PytorchFile::Entry>& PytorchFile::entries() const { return contents_->entries; }
bool PytorchFile::contains(const std::string& name) const { return contents_->index.contains(name); }
const std::vector<std::string>& PytorchFile::skipped() const { return contents_->skipped; }
const Metadata& PytorchFile::metadata() const { return contents_->metadata; }
const pickle::Value& PytorchFile::root() const { return contents_->archive.document.root(); }

const PytorchFile::Entry& PytorchFile::entry(const std::string& name) const {
  const auto found = contents_->index.find(name);
  if (found == contents_->index.end()) throw Error(fmt::format("{}: holds no tensor '{}'", path(), name));
  return contents_->entries[found->second];
}

Tensor PytorchFile::read(const std::string& name, DType dtype, Device device) const {
  (void)entry(name);
  try {
    const std::shared_ptr<const Backing> backing(contents_, &contents_->mapping);
    return read_elements(contents_->tensors[contents_->index.at(name)], dtype, device, backing);
  } catch (const Error& error) {
    contents_->refuse(name, error.what());
  }
}

}  // namespace astroclip::io
