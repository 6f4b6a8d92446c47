// What every plugin of the tree must keep, whatever it does.
#include <gtest/gtest.h>

#include "config/toml.h"
#include "plugin/host.h"

namespace astroclip::plugin {
namespace {

bool has_required(const std::vector<config::FieldDescription>& fields) {
  for (const auto& field : fields)
    if (field.type == "section" ? has_required(field.fields) : field.fallback.empty()) return true;
  return false;
}

void expect_documented(const std::vector<config::FieldDescription>& fields, const std::string& plugin) {
  for (const auto& field : fields) {
    EXPECT_NE(field.meaning, "") << plugin << ": " << field.name;
    EXPECT_NE(field.type, "") << plugin << ": " << field.name;
    EXPECT_NE(field.name, "plugin") << plugin << ": the key that names the plugin cannot be a parameter";
    expect_documented(field.fields, plugin);
  }
}

/// Reads parameters as an experiment does; gives them with every default.
config::Table read(const Listing& one, const config::Table& table, const config::Location& place,
                   config::Problems& problems) {
  Host& host = Host::instance();
  const config::Section where{one.name};
  switch (*one.kind) {
    case Kind::encoder:
      return host.read<Encoder>(one.name, table, where, place, problems).parameters;
    case Kind::loss:
      return host.read<Loss>(one.name, table, where, place, problems).parameters;
    case Kind::dataset:
      return host.read<Dataset>(one.name, table, where, place, problems).parameters;
    case Kind::task:
      return host.read<Task>(one.name, table, where, place, problems).parameters;
  }
  return {};
}

/// The tables of an example that name a plugin, however deep they stand.
void find_uses(const config::Value& value, const std::string& plugin, std::vector<config::Value>& uses) {
  if (const auto* array = value.get_if<config::Array>()) {
    for (const config::Value& element : *array) find_uses(element, plugin, uses);
  } else if (const auto* table = value.get_if<config::Table>()) {
    const config::Value* name = table->find("plugin");
    if (name != nullptr && *name->get_if<std::string>() == plugin) uses.push_back(value);
    for (const auto& entry : table->entries()) find_uses(entry.value, plugin, uses);
  }
}

TEST(Contract, EveryPluginCanBeUsedAndIsDocumented) {
  for (const auto& one : Host::instance().list()) {
    EXPECT_EQ(one.problem, "") << one.file;
    if (!one.problem.empty()) continue;
    EXPECT_NE(one.summary, "") << one.file;
    EXPECT_EQ(one.summary.find('\n'), std::string::npos) << one.file << ": a summary is one line";
    expect_documented(Host::instance().describe(*one.kind, one.name).fields, one.name);
  }
}

TEST(Contract, EveryPluginShowsAUseThatItAccepts) {
  for (const auto& one : Host::instance().list()) {
    if (!one.problem.empty()) continue;
    const std::string example = Host::instance().describe(*one.kind, one.name).example;
    std::vector<config::Value> uses;
    find_uses({config::parse_text(example, one.name + "'s example"), {}}, one.name, uses);
    EXPECT_FALSE(uses.empty()) << one.name << " shows no use of itself: " << example;
    for (const config::Value& use : uses) {
      config::Problems problems;
      read(one, *use.get_if<config::Table>(), use.location(), problems);
      EXPECT_NO_THROW(problems.throw_if_any()) << one.name;
    }
  }
}

TEST(Contract, DefaultsAreValidAndAResolvedTableResolvesToItself) {
  for (const auto& one : Host::instance().list()) {
    if (!one.problem.empty() || has_required(Host::instance().describe(*one.kind, one.name).fields)) continue;
    if (one.name == "sum") continue;  // a sum of nothing is refused
    config::Problems problems;
    const auto text = config::to_toml(read(one, {}, {}, problems));
    EXPECT_NO_THROW(problems.throw_if_any()) << one.name;
    const auto again = read(one, config::parse_text(text, one.name), {}, problems);
    EXPECT_NO_THROW(problems.throw_if_any()) << one.name;
    EXPECT_EQ(config::to_toml(again), text) << one.name;
  }
}

TEST(Contract, AnUnknownParameterIsAProblemThatNamesThePlugin) {
  for (const auto& one : Host::instance().list()) {
    if (!one.problem.empty()) continue;
    config::Problems problems;
    read(one, config::parse_text("no_such_parameter_at_all = 1", "a.toml"), {"a.toml", 9, 1}, problems);
    ASSERT_FALSE(problems.empty()) << one.name;
    EXPECT_EQ(problems.messages().front(), "a.toml:1:1: error: [" + one.name + "] plugin '" + one.name +
                                               "' has no parameter 'no_such_parameter_at_all'");
  }
}

}  // namespace
}  // namespace astroclip::plugin
