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

TEST(Contract, EveryPluginCanBeUsedAndIsDocumented) {
  for (const auto& one : Host::instance().list()) {
    EXPECT_EQ(one.problem, "") << one.file;
    if (!one.problem.empty()) continue;
    EXPECT_NE(one.summary, "") << one.file;
    EXPECT_EQ(one.summary.find('\n'), std::string::npos) << one.file << ": a summary is one line";
    expect_documented(Host::instance().schema(*one.kind, one.name).fields, one.name);
  }
}

TEST(Contract, DefaultsAreValidAndAResolvedTableResolvesToItself) {
  for (const auto& one : Host::instance().list()) {
    if (!one.problem.empty()) continue;
    const auto schema = Host::instance().schema(*one.kind, one.name);
    if (has_required(schema.fields)) continue;
    config::Problems problems;
    const auto resolved = schema.resolve({}, {one.name}, {}, problems);
    EXPECT_NO_THROW(problems.throw_if_any()) << one.name;
    const auto text = config::to_toml(resolved);
    const auto again = schema.resolve(config::parse_text(text, one.name), {one.name}, {}, problems);
    EXPECT_NO_THROW(problems.throw_if_any()) << one.name;
    EXPECT_EQ(config::to_toml(again), text) << one.name;
  }
}

TEST(Contract, AnUnknownParameterIsAProblemThatNamesThePlugin) {
  for (const auto& one : Host::instance().list()) {
    if (!one.problem.empty()) continue;
    config::Problems problems;
    const auto table = config::parse_text("no_such_parameter_at_all = 1", "a.toml");
    Host::instance().schema(*one.kind, one.name).resolve(table, {"here"}, {"a.toml", 9, 1}, problems);
    ASSERT_FALSE(problems.empty()) << one.name;
    EXPECT_EQ(problems.messages().front(),
              "a.toml:1:1: error: [here] plugin '" + one.name + "' has no parameter 'no_such_parameter_at_all'");
  }
}

}  // namespace
}  // namespace astroclip::plugin
