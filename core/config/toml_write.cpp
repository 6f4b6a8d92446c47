// Writing TOML. Keys keep their order: a table that is followed by a plain value at its level is written inline,
// for a header would swallow that value.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>

#include "config/toml.h"

namespace astroclip::config {

namespace {

bool is_bare(const std::string& key) {
  return !key.empty() && std::all_of(key.begin(), key.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
  });
}

std::string quoted(const std::string& text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (c == '\n') {
      out += "\\n";
    } else if (c == '\t') {
      out += "\\t";
    } else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
      out += fmt::format("\\u{:04X}", static_cast<int>(c));
    } else {
      out += c;
    }
  }
  return out + '"';
}

std::string key_text(const std::string& key) { return is_bare(key) ? key : quoted(key); }

/// The shortest text that reads back as the same double, and as a double.
std::string number(double value) {
  if (std::isnan(value)) return "nan";
  if (std::isinf(value)) return value > 0 ? "inf" : "-inf";
  char buffer[32];
  const auto end = std::to_chars(buffer, buffer + sizeof buffer, value).ptr;
  std::string text(buffer, end);
  return text.find_first_of(".e") == std::string::npos ? text + ".0" : text;
}

std::string inline_value(const Value& value);

std::string inline_table(const Table& table) {
  std::vector<std::string> parts;
  for (const auto& entry : table.entries())
    parts.push_back(fmt::format("{} = {}", key_text(entry.key), inline_value(entry.value)));
  return parts.empty() ? "{}" : fmt::format("{{ {} }}", fmt::join(parts, ", "));
}

std::string inline_array(const Array& array) {
  std::vector<std::string> parts;
  for (const auto& element : array) parts.push_back(inline_value(element));
  return fmt::format("[{}]", fmt::join(parts, ", "));
}

std::string inline_value(const Value& value) {
  if (const auto* boolean = value.get_if<bool>()) return *boolean ? "true" : "false";
  if (const auto* integer = value.get_if<int64_t>()) return std::to_string(*integer);
  if (const auto* real = value.get_if<double>()) return number(*real);
  if (const auto* text = value.get_if<std::string>()) return quoted(*text);
  if (const auto* array = value.get_if<Array>()) return inline_array(*array);
  return inline_table(*value.get_if<Table>());
}

bool is_table_array(const Value& value) {
  const auto* array = value.get_if<Array>();
  return array != nullptr && !array->empty() && std::all_of(array->begin(), array->end(), [](const Value& element) {
           return element.get_if<Table>() != nullptr;
         });
}

bool takes_headers(const Value& value) { return value.get_if<Table>() != nullptr || is_table_array(value); }

/// The first entry from which on everything may stand under headers.
size_t first_header(const Table& table) {
  size_t first = table.entries().size();
  while (first > 0 && takes_headers(table.entries()[first - 1].value)) --first;
  return first;
}

void write_lines(const Table& table, size_t end, std::string& out) {
  for (size_t i = 0; i < end; ++i) {
    const auto& entry = table.entries()[i];
    out += fmt::format("{} = {}\n", key_text(entry.key), inline_value(entry.value));
  }
}

void write_header(const std::string& header, std::string& out) {
  if (!out.empty()) out += '\n';
  out += header + '\n';
}

void write_table(const Table& table, const std::string& path, std::string& out);

void write_section(const Table::Entry& entry, const std::string& path, std::string& out) {
  if (const auto* table = entry.value.get_if<Table>()) {
    // A table of nothing but tables needs no header of its own.
    if (table->empty() || first_header(*table) > 0) write_header(fmt::format("[{}]", path), out);
    write_table(*table, path, out);
    return;
  }
  for (const auto& element : *entry.value.get_if<Array>()) {
    const auto& table = *element.get_if<Table>();
    write_header(fmt::format("[[{}]]", path), out);
    write_lines(table, table.entries().size(), out);
  }
}

void write_table(const Table& table, const std::string& path, std::string& out) {
  const size_t first = first_header(table);
  write_lines(table, first, out);
  for (size_t i = first; i < table.entries().size(); ++i) {
    const auto& entry = table.entries()[i];
    const std::string key = key_text(entry.key);
    write_section(entry, path.empty() ? key : path + "." + key, out);
  }
}

}  // namespace

std::string to_toml(const Table& table) {
  std::string out;
  write_table(table, "", out);
  return out;
}

std::string to_toml(const Value& value) { return inline_value(value); }

}  // namespace astroclip::config
