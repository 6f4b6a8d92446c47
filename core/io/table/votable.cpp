#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <limits>
#include <optional>
#include <pugixml.hpp>

#include "base/error.h"
#include "base/text.h"
#include "io/table/number_text_internal.h"
#include "io/table/table_source_internal.h"

namespace astroclip::io {

namespace {

/// What a field's values are read as.
enum class CellKind { integer, number, truth, text };

struct Datatype {
  const char* name;
  int64_t bytes;
  std::optional<CellKind> kind;  ///< none: values that are no column
};

/// IVOA VOTable 1.4, section 2.1.
constexpr std::array<Datatype, 12> datatypes = {{{"boolean", 1, CellKind::truth},
                                                 {"bit", 1, std::nullopt},
                                                 {"unsignedByte", 1, CellKind::integer},
                                                 {"short", 2, CellKind::integer},
                                                 {"int", 4, CellKind::integer},
                                                 {"long", 8, CellKind::integer},
                                                 {"char", 1, CellKind::text},
                                                 {"unicodeChar", 2, CellKind::text},
                                                 {"float", 4, CellKind::number},
                                                 {"double", 8, CellKind::number},
                                                 {"floatComplex", 8, std::nullopt},
                                                 {"doubleComplex", 16, std::nullopt}}};

struct FieldSpec {
  const Datatype* type = nullptr;
  int64_t count = 1;        ///< elements of a value
  bool has_length = false;  ///< values of any length, each behind its number of elements
  std::string null;         ///< the integer that stands for a missing value
  bool is_column = false;
};

/// The name of an element without the prefix of its namespace.
std::string_view element_name(const pugi::xml_node& node) {
  const std::string_view name = node.name();
  const size_t colon = name.find(':');
  return colon == std::string_view::npos ? name : name.substr(colon + 1);
}

template <class Visit>
void each_child(const pugi::xml_node& node, std::string_view name, Visit visit) {
  for (const pugi::xml_node& child : node.children()) {
    if (element_name(child) == name) visit(child);
  }
}

pugi::xml_node first_child(const pugi::xml_node& node, std::string_view name) {
  for (const pugi::xml_node& child : node.children()) {
    if (element_name(child) == name) return child;
  }
  return {};
}

std::vector<std::byte> base64_bytes(std::string_view text, const std::string& path) {
  static const auto values = [] {
    std::array<int, 256> table{};
    table.fill(-1);
    constexpr std::string_view digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (size_t i = 0; i < digits.size(); ++i) table[static_cast<unsigned char>(digits[i])] = static_cast<int>(i);
    return table;
  }();
  std::vector<std::byte> bytes;
  bytes.reserve(text.size() / 4 * 3);
  uint32_t bits = 0;
  int count = 0;
  for (const char c : text) {
    if (c == ' ' || c == '\n' || c == '\r' || c == '\t') continue;
    if (c == '=') break;
    const int value = values[static_cast<unsigned char>(c)];
    if (value < 0) throw Error(fmt::format("{}: is damaged: its stream is not base64", path));
    bits = bits << 6 | static_cast<uint32_t>(value);
    if ((count += 6) < 8) continue;
    count -= 8;
    bytes.push_back(static_cast<std::byte>(bits >> count & 0xFF));
  }
  return bytes;
}

template <class T>
T big_endian(const std::byte* bytes) {
  std::array<std::byte, sizeof(T)> own;
  std::reverse_copy(bytes, bytes + sizeof(T), own.begin());
  return std::bit_cast<T>(own);
}

void append_utf8(uint32_t code, std::string& text) {
  if (code < 0x80) {
    text += static_cast<char>(code);
  } else if (code < 0x800) {
    text += static_cast<char>(0xC0 | code >> 6);
    text += static_cast<char>(0x80 | (code & 0x3F));
  } else {
    text += static_cast<char>(0xE0 | code >> 12);
    text += static_cast<char>(0x80 | (code >> 6 & 0x3F));
    text += static_cast<char>(0x80 | (code & 0x3F));
  }
}

class VoTable final : public TableSource {
 public:
  VoTable(const std::string& path, FileText file, const std::string& table) : path_(path) {
    format = "VOTable";
    const pugi::xml_parse_result parsed =
        document_.load_buffer(file.text.data(), file.text.size(), pugi::parse_default | pugi::parse_embed_pcdata);
    if (!parsed) {
      throw Error(fmt::format("{}: is damaged: {} (at byte {})", path, parsed.description(), parsed.offset));
    }
    const pugi::xml_node root = document_.document_element();
    if (element_name(root) != "VOTABLE")
      throw Error(fmt::format("{}: is an XML file of <{}>, not a VOTable", path, root.name()));
    std::vector<pugi::xml_node> tables;
    each_child(root, "INFO", [&](const pugi::xml_node& info) { check_status(info); });
    each_child(root, "RESOURCE", [&](const pugi::xml_node& resource) { add_tables(resource, tables, 0); });
    std::vector<std::string> names;
    for (const pugi::xml_node& one : tables) {
      const std::string name = one.attribute("name").value(), id = one.attribute("ID").value();
      names.push_back(!name.empty() ? name : !id.empty() ? id : fmt::format("table {}", names.size() + 1));
    }
    read_fields(tables[choose_table(path, names, table)]);
  }

  Column read(size_t column, const std::string& place) const override {
    const size_t field = fields_of_columns_[column];
    Column values = stream_.empty() && !rows_.empty() ? read_texts(field, place) : read_stream(field, place);
    values.name = columns[column];
    return values;
  }

 private:
  /// A service that failed answers with a table that says so.
  void check_status(const pugi::xml_node& info) const {
    const std::string_view name = info.attribute("name").value(), value = info.attribute("value").value();
    if (name == "QUERY_STATUS" && value == "ERROR")
      throw Error(fmt::format("{}: holds the error of a query: {}", path_, trimmed(info.text().get())));
  }

  void add_tables(const pugi::xml_node& resource, std::vector<pugi::xml_node>& tables, int depth) const {
    constexpr int deepest = 16;
    if (depth > deepest) return;
    each_child(resource, "INFO", [&](const pugi::xml_node& info) { check_status(info); });
    each_child(resource, "TABLE", [&](const pugi::xml_node& table) { tables.push_back(table); });
    each_child(resource, "RESOURCE", [&](const pugi::xml_node& inner) { add_tables(inner, tables, depth + 1); });
  }

  void read_fields(const pugi::xml_node& table) {
    each_child(table, "FIELD", [&](const pugi::xml_node& node) { add_field(node); });
    const pugi::xml_node data = first_child(table, "DATA");
    if (!data) return;
    if (const pugi::xml_node rows_node = first_child(data, "TABLEDATA")) {
      each_child(rows_node, "TR", [&](const pugi::xml_node& row) { rows_.push_back(row); });
      rows = static_cast<int64_t>(rows_.size());
      return;
    }
    pugi::xml_node binary = first_child(data, "BINARY");
    if (!binary) {
      binary = first_child(data, "BINARY2");
      has_masks_ = true;
    }
    if (!binary) {
      throw Error(fmt::format("{}: its data are {}; expected TABLEDATA, BINARY or BINARY2", path_,
                              element_name(data.first_child())));
    }
    const pugi::xml_node stream = first_child(binary, "STREAM");
    const std::string_view encoding = stream.attribute("encoding").as_string("base64");
    if (stream.attribute("href") || encoding != "base64") {
      throw Error(fmt::format("{}: its stream {}; expected base64 text in the file itself", path_,
                              stream.attribute("href") ? "is another file" : fmt::format("is in '{}'", encoding)));
    }
    stream_ = base64_bytes(stream.text().get(), path_);
    find_rows();
  }

  void add_field(const pugi::xml_node& node) {
    const std::string name = node.attribute("name").value(), id = node.attribute("ID").value();
    const std::string_view datatype = node.attribute("datatype").value();
    FieldSpec field;
    const auto found = std::ranges::find(datatypes, datatype, &Datatype::name);
    if (found == datatypes.end())
      throw Error(fmt::format("{}: field '{}': '{}' is no datatype of VOTable", path_, name, datatype));
    field.type = &*found;
    const std::string arraysize = node.attribute("arraysize").value();
    read_arraysize(name, arraysize, field);
    field.null = first_child(node, "VALUES").attribute("null").value();
    const bool is_text = field.type->kind == CellKind::text && arraysize.find('x') == std::string::npos;
    field.is_column = field.type->kind && (is_text || (field.count == 1 && !field.has_length));
    if (field.is_column) {
      columns.push_back(name.empty() ? id : name);
      units.emplace_back(node.attribute("unit").value());
      fields_of_columns_.push_back(fields_.size());
    }
    fields_.push_back(field);
  }

  /// "4", "*", "10*", "3x4", "3x*"
  void read_arraysize(const std::string& name, std::string_view arraysize, FieldSpec& field) const {
    constexpr int64_t most = int64_t{1} << 31;
    while (!arraysize.empty()) {
      const size_t end = std::min(arraysize.find('x'), arraysize.size());
      std::string_view extent = arraysize.substr(0, end);
      arraysize.remove_prefix(std::min(end + 1, arraysize.size()));
      if (extent.ends_with('*')) {
        field.has_length = true;
        return;
      }
      int64_t count = 0;
      if (!parse_text(trimmed(extent), count) || count < 0 || field.count * count > most)
        throw Error(fmt::format("{}: field '{}': '{}' is no size of an array", path_, name, extent));
      field.count *= count;
    }
  }

  /// Where the value of a field lies in the stream; moves `at` behind it.
  std::string_view value_at(const FieldSpec& field, size_t& at) const {
    int64_t count = field.count;
    if (field.has_length) {
      if (stream_.size() - at < 4) throw too_short();
      count = big_endian<int32_t>(stream_.data() + at);
      at += 4;
    }
    const int64_t bytes = std::strcmp(field.type->name, "bit") == 0 ? (count + 7) / 8 : count * field.type->bytes;
    if (count < 0 || bytes > static_cast<int64_t>(stream_.size() - at)) throw too_short();
    const std::string_view value(reinterpret_cast<const char*>(stream_.data()) + at, static_cast<size_t>(bytes));
    at += static_cast<size_t>(bytes);
    return value;
  }
  Error too_short() const { return Error(fmt::format("{}: is damaged: its stream ends within a row", path_)); }

  size_t mask_bytes() const { return has_masks_ ? (fields_.size() + 7) / 8 : 0; }

  void find_rows() {
    for (size_t at = 0; at < stream_.size();) {
      begins_.push_back(at);
      const size_t begin = at;
      if (stream_.size() - at < mask_bytes()) throw too_short();
      at += mask_bytes();
      for (const FieldSpec& field : fields_) (void)value_at(field, at);
      if (at == begin) throw Error(fmt::format("{}: is damaged: its rows have no bytes", path_));
    }
    rows = static_cast<int64_t>(begins_.size());
  }

  Column read_stream(size_t wanted, const std::string& place) const {
    const FieldSpec& field = fields_[wanted];
    Column column;
    prepare(*field.type->kind, column);
    int64_t null = 0;
    const bool has_null = parse_text(field.null, null);
    for (int64_t row = 0; row < rows; ++row) {
      const size_t begin = begins_[static_cast<size_t>(row)];
      const auto mask = has_masks_ ? static_cast<unsigned>(stream_[begin + wanted / 8]) : 0U;
      size_t at = begin + mask_bytes();
      for (size_t i = 0; i < wanted; ++i) (void)value_at(fields_[i], at);
      const std::string_view value = value_at(field, at);
      const bool is_masked = (mask >> (7 - wanted % 8) & 1U) != 0;
      if (is_masked || !set_binary(field, value, static_cast<size_t>(row), column, place) ||
          (has_null && *field.type->kind == CellKind::integer &&
           std::get<std::vector<int64_t>>(column.values)[static_cast<size_t>(row)] == null))
        set_undefined(column, row);
    }
    return column;
  }

  void prepare(CellKind kind, Column& column) const {
    const auto count = static_cast<size_t>(rows);
    if (kind == CellKind::integer) column.values = std::vector<int64_t>(count);
    if (kind == CellKind::number) column.values = std::vector<double>(count);
    if (kind == CellKind::truth) column.values = std::vector<bool>(count);
    if (kind == CellKind::text) column.values = std::vector<std::string>(count);
  }

  static void set_undefined(Column& column, int64_t row) {
    column.set_missing(row);
    if (auto* numbers = std::get_if<std::vector<double>>(&column.values))
      (*numbers)[static_cast<size_t>(row)] = std::numeric_limits<double>::quiet_NaN();
  }

  /// False for a value that is missing.
  static bool set_binary(const FieldSpec& field, std::string_view value, size_t row, Column& column,
                         const std::string& place) {
    const auto* bytes = reinterpret_cast<const std::byte*>(value.data());
    switch (*field.type->kind) {
      case CellKind::integer:
        std::get<std::vector<int64_t>>(column.values)[row] = field.type->bytes == 1   ? static_cast<int64_t>(bytes[0])
                                                             : field.type->bytes == 2 ? big_endian<int16_t>(bytes)
                                                             : field.type->bytes == 4 ? big_endian<int32_t>(bytes)
                                                                                      : big_endian<int64_t>(bytes);
        return true;
      case CellKind::number:
        std::get<std::vector<double>>(column.values)[row] =
            field.type->bytes == 4 ? static_cast<double>(big_endian<float>(bytes)) : big_endian<double>(bytes);
        return true;
      case CellKind::truth:
        return set_truth(value, row, column, place);
      case CellKind::text:
        break;
    }
    std::string& text = std::get<std::vector<std::string>>(column.values)[row];
    if (field.type->bytes == 1) {
      text = value.substr(0, value.find('\0'));
    } else {
      for (size_t i = 0; i + 1 < value.size(); i += 2) append_utf8(big_endian<uint16_t>(bytes + i), text);
      text = text.substr(0, text.find('\0'));
    }
    text = trimmed(text);
    return !text.empty();
  }

  /// "T", "true", "1" and the like; "?" and blanks are missing.
  static bool set_truth(std::string_view value, size_t row, Column& column, const std::string& place) {
    value = trimmed(value.substr(0, value.find('\0')));
    if (value.empty() || value == "?") return false;
    const bool is_true = same_letters(value, "t") || same_letters(value, "true") || value == "1";
    const bool is_false = same_letters(value, "f") || same_letters(value, "false") || value == "0";
    if (!is_true && !is_false)
      throw Error(fmt::format("{}, row {}: expected true or false, found '{}'", place, row + 1, value));
    std::get<std::vector<bool>>(column.values)[row] = is_true;
    return true;
  }

  /// A column of TABLEDATA.
  Column read_texts(size_t wanted, const std::string& place) const {
    const FieldSpec& field = fields_[wanted];
    std::vector<std::string_view> texts;
    for (const pugi::xml_node& row : rows_) {
      pugi::xml_node cell = first_child(row, "TD");
      for (size_t i = 0; i < wanted && cell; ++i) {
        do {
          cell = cell.next_sibling();
        } while (cell && element_name(cell) != "TD");
      }
      if (!cell) throw Error(fmt::format("{}, row {}: the row has fewer cells than fields", place, texts.size() + 1));
      texts.push_back(trimmed(cell.text().get()));
      if (texts.back() == field.null) texts.back() = "";
    }
    Column column;
    prepare(*field.type->kind, column);
    // Unsigned integers beyond int64 have no datatype of their own.
    const bool is_unsigned = *field.type->kind == CellKind::integer && std::ranges::any_of(texts, [](auto text) {
      int64_t value = 0;
      uint64_t large = 0;
      return !parse_text(text, value) && parse_text(text, large);
    });
    if (is_unsigned) column.values = std::vector<uint64_t>(texts.size());
    for (size_t row = 0; row < texts.size(); ++row) {
      if (!set_cell(*field.type->kind, texts[row], row, column, place))
        set_undefined(column, static_cast<int64_t>(row));
    }
    return column;
  }

  /// False for a value that is missing.
  static bool set_cell(CellKind kind, std::string_view text, size_t row, Column& column, const std::string& place) {
    if (kind == CellKind::truth) return set_truth(text, row, column, place);
    if (text.empty()) return false;
    return std::visit(
        [&](auto& values) {
          using T = typename std::decay_t<decltype(values)>::value_type;
          if constexpr (std::is_same_v<T, std::string>) {
            values[row] = text;
          } else if constexpr (!std::is_same_v<T, bool>) {
            if (!parse_text(text, values[row])) {
              throw Error(fmt::format("{}, row {}: expected {}, found '{}'", place, row + 1,
                                      kind == CellKind::integer ? "an integer of 64 bits" : "a number", text));
            }
          }
          return true;
        },
        column.values);
  }

  std::string path_;
  pugi::xml_document document_;
  std::vector<FieldSpec> fields_;
  std::vector<size_t> fields_of_columns_;
  std::vector<pugi::xml_node> rows_;  ///< of TABLEDATA
  std::vector<std::byte> stream_;     ///< of BINARY and BINARY2
  std::vector<size_t> begins_;        ///< of the stream's rows
  bool has_masks_ = false;  ///< of BINARY2: each row begins with a bit for each field, set where it is missing
};

}  // namespace

std::shared_ptr<const TableSource> open_votable(const std::string& path, FileText file, const std::string& table) {
  return std::make_shared<const VoTable>(path, std::move(file), table);
}

}  // namespace astroclip::io
