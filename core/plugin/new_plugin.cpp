#include "plugin/new_plugin.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/dll/runtime_symbol_info.hpp>
#include <cctype>

#include "io/output/durable_file.h"

namespace astroclip::plugin {

namespace fs = std::filesystem;

namespace {

bool is_lower(char c) { return c >= 'a' && c <= 'z'; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }

/// "My-Encoder" → "my_encoder"; "" when nothing is left.
std::string tamed(const std::string& name) {
  std::string result;
  for (const char c : name) {
    const char lower = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    const bool fits = is_lower(lower) || (is_digit(lower) && !result.empty());
    if (fits) result += lower;
    if (!fits && !result.empty() && result.back() != '_') result += '_';
  }
  while (result.ends_with('_')) result.pop_back();
  return result;
}

void check_name(Kind kind, const std::string& name) {
  const std::string near = tamed(name);
  if (name.empty() || name != near || name.size() > 64) {
    throw Error(
        fmt::format("'{}' is no name for a plugin: expected at most 64 lower-case letters, digits and single '_', "
                    "beginning with a letter{}",
                    name, near.empty() || name == near ? "" : fmt::format("; did you mean '{}'?", near)));
  }
  for (const Listing& one : Host::instance().list()) {
    if (one.kind == kind && one.name == name)
      throw Error(fmt::format("the {} '{}' exists already: {}", kind_name(kind), name, one.file.string()));
  }
}

/// "my_encoder" → "MyEncoder". The kind ends the name, lest a plugin "tensor" hide astroclip's Tensor in its source.
std::string class_name(Kind kind, const std::string& name) {
  const std::string ending = fmt::format("_{}", kind_name(kind));
  std::string result;
  bool begins = true;
  for (const char c : name.ends_with(ending) ? name : name + ending) {
    if (c != '_') result += begins ? static_cast<char>(std::toupper(static_cast<unsigned char>(c))) : c;
    begins = c == '_';
  }
  return result;
}

std::string replaced(std::string text, const std::string& from, const std::string& to) {
  for (size_t at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size())) {
    text.replace(at, from.size(), to);
  }
  return text;
}

}  // namespace

fs::path installation() {
  const fs::path library = boost::dll::this_line_location().string();
  return fs::weakly_canonical(library).parent_path().parent_path();
}

std::vector<fs::path> write_new_plugin(Kind kind, const std::string& name, const fs::path& folder) {
  check_name(kind, name);
  const fs::path source = installation() / "share/astroclip/templates" / kind_name(kind);
  if (!fs::is_directory(source))
    throw Error(fmt::format("{}: no such folder; astroclip is not installed whole", source.string()));
  if (fs::exists(fs::symlink_status(folder)))
    throw Error(fmt::format("{}: exists already and is left as it is", folder.string()));
  std::error_code error;
  if (!fs::create_directory(folder, error))
    throw Error(fmt::format("{}: cannot be made: {}", folder.string(), error.message()));
  const std::string template_name = "my_" + kind_name(kind);
  const auto named = [&](const std::string& text) {
    return replaced(replaced(text, template_name, name), class_name(kind, template_name), class_name(kind, name));
  };
  std::vector<fs::path> written;
  for (const auto& entry : fs::directory_iterator(source)) {
    written.push_back(folder / named(entry.path().filename().string()));
    io::write_text(written.back().string(), named(io::read_text(entry.path().string())));
  }
  std::ranges::sort(written);
  return written;
}

}  // namespace astroclip::plugin
