#include "io/table/table.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <libdeflate.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <memory>
#include <numbers>
#include <optional>
#include <span>
#include <utility>

#include "base/error.h"
#include "base/printable.h"
#include "base/text.h"
#include "io/file_format.h"
#include "io/mapped_file.h"
#include "io/table/number_text_internal.h"
#include "io/table/table_source_internal.h"

namespace astroclip::io {

namespace {

FileText mapped_text(const std::string& path) {
  auto file = std::make_shared<const MappedFile>(path);
  const std::string_view text(reinterpret_cast<const char*>(file->bytes().data()), file->bytes().size());
  return {std::move(file), text};
}

/// All members of a gzip file.
FileText gunzipped(const std::string& path, std::string_view packed) {
  const std::unique_ptr<libdeflate_decompressor, void (*)(libdeflate_decompressor*)> decompressor(
      libdeflate_alloc_decompressor(), libdeflate_free_decompressor);
  constexpr size_t most_expanded = 1032;  // what a byte of a deflate stream makes at most
  auto whole = std::make_shared<std::string>();
  while (!packed.empty()) {
    const size_t begin = whole->size();
    size_t room = std::max<size_t>(4 * packed.size(), 1 << 16), used = 0, made = 0;
    libdeflate_result result = LIBDEFLATE_INSUFFICIENT_SPACE;
    for (; result == LIBDEFLATE_INSUFFICIENT_SPACE && room < 2 * most_expanded * packed.size() + (1 << 17); room *= 2) {
      whole->resize(begin + room);
      result = libdeflate_gzip_decompress_ex(decompressor.get(), packed.data(), packed.size(), whole->data() + begin,
                                             room, &used, &made);
    }
    if (result != LIBDEFLATE_SUCCESS)
      throw Error(fmt::format("{}: is damaged: its gzip stream cannot be decoded", path));
    whole->resize(begin + made);
    packed.remove_prefix(used);
  }
  const std::string_view text = *whole;
  return {std::move(whole), text};
}

std::shared_ptr<const TableSource> open_source(const std::string& path, const std::string& table) {
  FileText file = mapped_text(path);
  const bool is_packed = file.text.starts_with("\x1F\x8B");
  if (is_packed) file = gunzipped(path, file.text);
  if (file.text.starts_with("SIMPLE  =")) return open_fits_table(path, table);
  constexpr std::string_view hdf5 = "\x89HDF\r\n\x1A\n";
  for (size_t block = 0; block < file.text.size(); block = std::max<size_t>(512, 2 * block)) {  // behind a user block
    if (!file.text.substr(block).starts_with(hdf5)) continue;
    if (is_packed) throw Error(fmt::format("{}: is an HDF5 file, compressed by gzip; decompress it with gunzip", path));
    return open_hdf5_table(path, table);
  }
  const auto first = std::as_bytes(std::span(file.text).first(std::min<size_t>(512, file.text.size())));
  const std::string other = is_packed ? other_format(first) : other_format(path, false);
  if (!other.empty()) throw Error(fmt::format("{}: is no table but {}", path, other));
  if (file.text.substr(0, 4096).find('\0') != std::string_view::npos)
    throw Error(fmt::format("{}: is no table but a binary file of no known format", path));
  if (file.text.starts_with("\xEF\xBB\xBF")) file.text.remove_prefix(3);  // a byte order mark
  if (trimmed(file.text.substr(0, 4096)).starts_with('<')) return open_votable(path, std::move(file), table);
  if (!table.empty())
    throw Error(fmt::format("{}: holds one table without a name; table '{}' was asked for", path, table));
  return open_csv(path, std::move(file));
}

std::string element_name(const std::string& vector, int64_t element) { return fmt::format("{}[{}]", vector, element); }

}  // namespace

size_t choose_table(const std::string& path, const std::vector<std::string>& tables, const std::string& wanted) {
  if (tables.empty()) throw Error(fmt::format("{}: holds no table", path));
  if (wanted.empty() && tables.size() == 1) return 0;
  if (wanted.empty()) {
    throw Error(
        fmt::format("{}: holds {} tables; say which is wanted: '{}'", path, tables.size(), fmt::join(tables, "', '")));
  }
  const auto found = std::ranges::find_if(tables, [&](const auto& name) { return same_letters(name, wanted); });
  if (found == tables.end()) {
    throw Error(fmt::format("{}: has no table '{}'; it has '{}'{}", path, wanted, fmt::join(tables, "', '"),
                            suggestion(wanted, tables)));
  }
  return static_cast<size_t>(found - tables.begin());
}

std::optional<double> degrees_of(const std::string& unit) {
  constexpr double degrees_of_radian = 180.0 / std::numbers::pi, degrees_of_hour = 15.0;
  constexpr std::array<std::pair<std::string_view, double>, 9> units = {{{"h", degrees_of_hour},
                                                                         {"hr", degrees_of_hour},
                                                                         {"hour", degrees_of_hour},
                                                                         {"hours", degrees_of_hour},
                                                                         {"hourangle", degrees_of_hour},
                                                                         {"arcmin", 1.0 / 60.0},
                                                                         {"arcsec", 1.0 / 3600.0},
                                                                         {"mas", 1.0 / 3.6e6},
                                                                         {"uas", 1.0 / 3.6e9}}};
  const std::string word = lower(unit);
  if (word.empty() || word.starts_with("deg")) return 1.0;
  if (word.starts_with("rad")) return degrees_of_radian;
  const auto* found = std::ranges::find(units, word, [](const auto& one) { return one.first; });
  return found == units.end() ? std::nullopt : std::optional(found->second);
}

Table Table::open(const std::string& path, const std::string& table) {
  Table opened;
  opened.path_ = path;
  opened.source_ = open_source(path, table);
  return opened;
}

Table Table::open_named(const std::string& named) {
  const size_t bracket = named.rfind('[');
  if (bracket == std::string::npos || !named.ends_with(']') || std::filesystem::exists(named)) return open(named);
  return open(named.substr(0, bracket), named.substr(bracket + 1, named.size() - bracket - 2));
}

const std::string& Table::format() const { return source_->format; }
int64_t Table::rows() const { return source_->rows; }
const std::vector<std::string>& Table::columns() const { return source_->columns; }

std::vector<std::string> Table::elements() const {
  std::vector<std::string> names;
  for (const TableSource::Vector& vector : source_->vectors) {
    for (int64_t i = 0; i < vector.width; ++i) names.push_back(element_name(vector.name, i));
  }
  return names;
}

bool Table::has(const std::string& column) const {
  const auto is_it = [&](const auto& name) { return same_letters(name, column); };
  return std::ranges::any_of(columns(), is_it) || (column.ends_with(']') && std::ranges::any_of(elements(), is_it));
}

Column Table::read(const std::string& column) const {
  std::vector<size_t> exact, same;
  for (size_t i = 0; i < columns().size(); ++i) {
    if (columns()[i] == column) exact.push_back(i);
    if (same_letters(columns()[i], column)) same.push_back(i);
  }
  const std::vector<size_t>& found = exact.empty() ? same : exact;
  if (found.empty()) {
    for (size_t i = 0; i < source_->vectors.size(); ++i) {
      const auto& [name, width] = source_->vectors[i];
      if (same_letters(name, column)) {
        throw Error(fmt::format("{}: column '{}' has {} numbers a row; '{}' to '{}' are its elements", path_, name,
                                width, element_name(name, 0), element_name(name, width - 1)));
      }
      for (int64_t element = 0; element < width; ++element) {
        if (same_letters(element_name(name, element), column))
          return named(element_name(name, element),
                       [&](const std::string& place) { return source_->read_element(i, element, place); });
      }
    }
    throw Error(fmt::format("{}: has no column '{}'; it has {}{}", path_, column, fmt::join(columns(), ", "),
                            suggestion(column, columns())));
  }
  if (found.size() > 1) throw Error(fmt::format("{}: has {} columns '{}'", path_, found.size(), column));
  return named(columns()[found.front()], [&](const std::string& place) { return source_->read(found.front(), place); });
}

std::string Table::unit(const std::string& column) const {
  auto found = std::ranges::find(columns(), column);
  if (found == columns().end())
    found = std::ranges::find_if(columns(), [&](const std::string& name) { return same_letters(name, column); });
  const auto index = static_cast<size_t>(found - columns().begin());
  return index < source_->units.size() ? source_->units[index] : "";
}

Column Table::degrees(const std::string& column) const {
  Column angles = read(column);
  if (const auto* texts = std::get_if<std::vector<std::string>>(&angles.values)) {
    const auto text = std::ranges::find_if(*texts, [](const std::string& one) { return !one.empty(); });
    throw Error(fmt::format("{}: expected an angle in degrees, found '{}'", angles.place,
                            text == texts->end() ? "" : printable(*text)));
  }
  const auto factor = degrees_of(unit(column));
  if (!factor) {
    throw Error(fmt::format("{}: its unit is '{}'; angles in deg, rad, h, arcmin, arcsec, mas and uas are read",
                            angles.place, printable(unit(column))));
  }
  std::vector<double> values = angles.numbers();
  for (double& value : values) value *= *factor;
  angles.values = std::move(values);
  return angles;
}

Column Table::named(const std::string& name, const std::function<Column(const std::string& place)>& read) const {
  const std::string place = fmt::format("{}: column '{}'", path_, name);
  Column values = read(place);
  values.name = name;
  values.place = place;
  return values;
}

}  // namespace astroclip::io
