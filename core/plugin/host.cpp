#include "plugin/host.h"

#include <dlfcn.h>
#include <fmt/format.h>
#include <link.h>

#include <algorithm>
#include <boost/dll/runtime_symbol_info.hpp>
#include <boost/dll/shared_library.hpp>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <map>
#include <mutex>
#include <set>

#include "base/text.h"
#include "plugin/guarded.h"
#include "plugin/record_check_internal.h"

namespace astroclip::plugin {

namespace fs = std::filesystem;

namespace {

constexpr const char* plugin_key = "plugin";

/// Objects, schemas and exceptions of a plugin may outlive any host: the loader itself never unloads it.
constexpr auto load_mode = static_cast<boost::dll::load_mode::type>(RTLD_LAZY | RTLD_LOCAL | RTLD_NODELETE);

/// A plugin file that was opened, whether or not it can be used.
struct Opened {
  boost::dll::shared_library library;
  const Record* record = nullptr;  ///< set when it passed every comparison
  std::string problem;
};

/// A file in a plugin folder; without a kind when it stands in the folder itself.
struct Candidate {
  fs::path file;
  std::optional<Kind> kind;
  std::string name() const { return file.stem().string(); }
};

std::string with_article(Kind kind) { return (kind == Kind::encoder ? "an " : "a ") + kind_name(kind); }

/// Why a file cannot be given to the loader, whose own messages vary, and which a file that was cut off crashes; ""
/// when it can.
std::string objection_to_file(const fs::path& file) {
  ElfW(Ehdr) head = {};
  std::error_code ignored;
  const uint64_t size = fs::file_size(file, ignored);
  std::ifstream stream(file, std::ios::binary);
  stream.read(reinterpret_cast<char*>(&head), sizeof head);
  if (stream.gcount() < SELFMAG || std::memcmp(head.e_ident, ELFMAG, SELFMAG) != 0) return "is not a shared object";
  const auto cut_off = [&] { return fmt::format("is cut off: it has {} bytes, fewer than its header says", size); };
  if (!stream) return cut_off();
  if (head.e_ident[EI_CLASS] != ELFCLASS64 || head.e_phentsize != sizeof(ElfW(Phdr))) return "is for another machine";
  uint64_t end = head.e_shoff + uint64_t{head.e_shnum} * head.e_shentsize;
  stream.seekg(static_cast<std::streamoff>(head.e_phoff));
  for (int i = 0; i < head.e_phnum; ++i) {
    ElfW(Phdr) part = {};
    if (!stream.read(reinterpret_cast<char*>(&part), sizeof part)) return cut_off();
    end = std::max<uint64_t>(end, part.p_offset + part.p_filesz);
  }
  return end > size ? cut_off() : "";
}

/// Bytes of the object that stands at an address of a loaded file; 0 when the file does not tell.
size_t size_of_symbol(const void* address) {
  Dl_info where;
  void* symbol = nullptr;
  if (dladdr1(address, &where, &symbol, RTLD_DL_SYMENT) == 0 || symbol == nullptr) return 0;
  return static_cast<const ElfW(Sym)*>(symbol)->st_size;
}

Opened open(const fs::path& file) {
  Opened opened;
  opened.problem = objection_to_file(file);
  if (!opened.problem.empty()) return opened;
  try {
    opened.library.load(file.string(), load_mode);
  } catch (const std::exception& error) {
    opened.problem = fmt::format("cannot be loaded: {}", error.what());
    return opened;
  }
  if (!opened.library.has(record_symbol)) {
    opened.problem = fmt::format("is no plugin: it has no symbol {}", record_symbol);
    return opened;
  }
  const auto& record = opened.library.get<const Record>(record_symbol);
  opened.problem = objection_to(record, size_of_symbol(&record));
  if (opened.problem.empty()) opened.record = &record;
  return opened;
}

/// "loss 'clip'"
std::string title(Kind kind, const std::string& name) { return fmt::format("{} '{}'", kind_name(kind), name); }

/// Throws Error when a schema has two fields of one name, of which only the first would be read.
void expect_distinct(const std::string& plugin, const std::vector<config::FieldDescription>& fields) {
  std::set<std::string> names;
  for (const config::FieldDescription& field : fields) {
    if (!names.insert(field.name).second) throw Error(fmt::format("{} has two parameters '{}'", plugin, field.name));
  }
}

void add_files(const fs::path& folder, std::optional<Kind> kind, std::vector<Candidate>& candidates) {
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(folder, ignored))
    if (entry.path().extension() == ".so" && !entry.is_directory()) candidates.push_back({entry.path(), kind});
}

std::vector<fs::path> default_folders() {
  std::vector<fs::path> folders;
  const fs::path library = boost::dll::this_line_location().string();
  const fs::path installed = fs::weakly_canonical(library).parent_path() / "astroclip";
  if (fs::is_directory(installed)) folders.push_back(installed);
  const char* variable = std::getenv("ASTROCLIP_PLUGIN_PATH");
  std::string_view rest = variable == nullptr ? "" : variable;
  while (!rest.empty()) {
    const auto colon = std::min(rest.find(':'), rest.size());
    if (colon > 0) folders.emplace_back(rest.substr(0, colon));
    rest.remove_prefix(std::min(colon + 1, rest.size()));
  }
  return folders;
}

}  // namespace

std::string kind_name(Kind kind) {
  switch (kind) {
    case Kind::encoder:
      return "encoder";
    case Kind::loss:
      return "loss";
    case Kind::dataset:
      return "dataset";
    case Kind::task:
      return "task";
  }
  return "unknown";
}

std::string kind_folder(Kind kind) { return kind_name(kind) + (kind == Kind::loss ? "es" : "s"); }

struct Host::State {
  std::mutex mutex;
  std::vector<fs::path> folders;
  /// By canonical path.
  std::map<fs::path, Opened> opened;

  const Opened& open_once(const fs::path& file) {
    const auto key = fs::weakly_canonical(file);
    const auto found = opened.find(key);
    return found != opened.end() ? found->second : opened.emplace(key, open(file)).first->second;
  }

  /// Every plugin file, a file that is reached twice only once.
  std::vector<Candidate> candidates() const {
    std::vector<Candidate> all;
    for (const auto& folder : folders) {
      for (const Kind kind : all_kinds) add_files(folder / kind_folder(kind), kind, all);
      add_files(folder, std::nullopt, all);
    }
    std::map<fs::path, bool> seen;
    std::erase_if(all, [&](const Candidate& c) { return !seen.emplace(fs::weakly_canonical(c.file), true).second; });
    return all;
  }

  Listing listing(const Candidate& candidate) {
    const Opened& file = open_once(candidate.file);
    Listing listing{candidate.kind, candidate.name(), "", candidate.file, file.problem};
    if (file.record == nullptr) return listing;
    if (candidate.kind && *candidate.kind != file.record->kind) {
      listing.problem = fmt::format("is {}, but stands in a folder of {}", with_article(file.record->kind),
                                    kind_folder(*candidate.kind));
      return listing;
    }
    listing.kind = file.record->kind;
    return listing;
  }

  [[noreturn]] void fail_missing(Kind kind, const std::string& name, const std::vector<Candidate>& all) {
    std::vector<std::string> names;
    std::string instead;
    for (const auto& candidate : all) {
      if (candidate.kind.value_or(kind) == kind) names.push_back(candidate.name());
      if (candidate.name() != name) continue;
      const Listing other = listing(candidate);
      if (other.problem.empty()) instead = fmt::format(" ('{}' is {})", name, with_article(*other.kind));
    }
    instead += suggestion(name, names);
    std::vector<std::string> searched;
    for (const auto& folder : folders) searched.push_back(folder.string());
    throw Error(fmt::format("there is no {} '{}'{}{} searched: {}", kind_name(kind), name, instead,
                            instead.ends_with('?') ? "" : ";",
                            searched.empty() ? "no folder" : fmt::format("{}", fmt::join(searched, ", "))));
  }

  Listing find(Kind kind, const std::string& name) {
    const std::scoped_lock lock(mutex);
    const auto all = candidates();
    std::vector<Listing> found;
    for (const auto& candidate : all) {
      if (candidate.name() != name || candidate.kind.value_or(kind) != kind) continue;
      const Listing one = listing(candidate);
      if (one.kind == kind || !one.problem.empty()) found.push_back(one);
    }
    if (found.empty()) fail_missing(kind, name, all);
    if (found.size() > 1)
      throw Error(fmt::format("there are two {} '{}': {} and {}; rename or remove one", kind_folder(kind), name,
                              found[0].file.string(), found[1].file.string()));
    if (!found[0].problem.empty())
      throw Error(fmt::format("{} '{}': {} {}", kind_name(kind), name, found[0].file.string(), found[0].problem));
    return found[0];
  }

  const Record& record(Kind kind, const std::string& name) {
    const auto file = find(kind, name).file;
    const std::scoped_lock lock(mutex);
    return *open_once(file).record;
  }
};

Host::Host(const std::vector<fs::path>& folders) : state_(std::make_unique<State>()) { state_->folders = folders; }

Host::~Host() = default;

Host& Host::instance() {
  // Never destroyed: objects of plugins may outlive every static.
  static Host* const host = new Host(default_folders());
  return *host;
}

void Host::add_search_path(const fs::path& folder) {
  if (!fs::is_directory(folder)) {
    throw Error(
        fmt::format("plugin folder '{}' {}", folder.string(), fs::exists(folder) ? "is no folder" : "does not exist"));
  }
  const std::scoped_lock lock(state_->mutex);
  state_->folders.push_back(folder);
}

std::vector<fs::path> Host::search_paths() const {
  const std::scoped_lock lock(state_->mutex);
  return state_->folders;
}

std::vector<Listing> Host::list() {
  const std::scoped_lock lock(state_->mutex);
  std::vector<Listing> all;
  for (const auto& candidate : state_->candidates()) {
    Listing one = state_->listing(candidate);
    const Record* record = state_->open_once(candidate.file).record;
    if (one.problem.empty()) {
      try {
        one.summary = guarded(title(*one.kind, one.name), [&] { return record->describe().summary; });
      } catch (const Error& error) {
        one.problem = fmt::format("cannot describe itself: {}", error.what());
      }
    }
    all.push_back(std::move(one));
  }
  std::stable_sort(all.begin(), all.end(), [](const Listing& a, const Listing& b) {
    return std::pair(a.kind, a.name) < std::pair(b.kind, b.name);
  });
  return all;
}

Listing Host::find(Kind kind, const std::string& name) { return state_->find(kind, name); }

Description Host::describe(Kind kind, const std::string& name) {
  const Record& record = state_->record(kind, name);
  return guarded(title(kind, name), [&] { return record.describe(); });
}

template <class Interface>
Spec<Interface> Host::read(const std::string& name, const config::Table& parameters, config::Section where,
                           const config::Location& place, config::Problems& problems) {
  const Kind kind = KindOf<Interface>::value;
  const Record& record = state_->record(kind, name);
  where.plugin = name;
  expect_distinct(title(kind, name), describe(kind, name).fields);
  const Checked checked = guarded(title(kind, name), [&] { return record.check(parameters, where, place, problems); });
  Spec<Interface> spec{name, {}, [kind, name, make = checked.make] {
                         return std::shared_ptr<Interface>(static_cast<Interface*>(guarded(title(kind, name), make)));
                       }};
  const config::Value* written = parameters.find(plugin_key);
  spec.parameters.set(plugin_key, {name, written == nullptr ? place : written->location()});
  for (const auto& entry : checked.resolved.entries()) spec.parameters.set(entry.key, entry.value, entry.location);
  return spec;
}

template <class Interface>
std::shared_ptr<Interface> Host::make(const std::string& name, const config::Table& parameters,
                                      const std::string& where) {
  config::Problems problems;
  const auto spec = read<Interface>(name, parameters, {where}, {}, problems);
  problems.throw_if_any();
  return spec.make();
}

template <class Interface>
Spec<Interface> Spec<Interface>::read(const config::Value& value, const config::Section& where,
                                      config::Problems& problems) {
  const auto& table = *value.get_if<config::Table>();
  const config::Value* name = table.find(plugin_key);
  const auto* text = name == nullptr ? nullptr : name->get_if<std::string>();
  if (name == nullptr) {
    problems.add(value.location(), where.says("lacks the required key 'plugin'"));
  } else if (text == nullptr) {
    problems.add(name->location(), where.says(fmt::format("'plugin' must be a string, found {}", name->kind())));
  } else {
    try {
      return Host::instance().read<Interface>(*text, table, where, value.location(), problems);
    } catch (const Error& error) {
      problems.add(name->location(), where.says(error.what()));
    }
  }
  return {};
}

template struct Spec<Encoder>;
template struct Spec<Loss>;
template struct Spec<Dataset>;
template struct Spec<Task>;
template std::shared_ptr<Encoder> Host::make(const std::string&, const config::Table&, const std::string&);
template std::shared_ptr<Loss> Host::make(const std::string&, const config::Table&, const std::string&);
template std::shared_ptr<Dataset> Host::make(const std::string&, const config::Table&, const std::string&);
template std::shared_ptr<Task> Host::make(const std::string&, const config::Table&, const std::string&);

}  // namespace astroclip::plugin
