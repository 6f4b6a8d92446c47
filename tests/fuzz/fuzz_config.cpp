#include <cstdlib>
#include <sstream>
#include <string>

#include "base/error.h"
#include "config/schema.h"
#include "config/toml.h"

// Parses text as an experiment file, applies the overrides after a line "---", and reads a schema with a field of each
// kind. Invalid input must throw Error; accepted input must be the same after it is written and read back.

namespace {

using namespace astroclip;

struct Part {
  std::string name;
  int64_t count = 1;
};

struct Whole {
  bool flag = false;
  int64_t steps = 10;
  double rate = 0.1;
  std::string precision = "f32";
  std::vector<int64_t> sizes;
  std::vector<double> betas = {0.9, 0.99};
  std::vector<std::string> names;
  config::Value loss;
  Part part;
  std::vector<Part> stages;
};

const config::Schema<Part>& part_schema() {
  static const auto schema = config::Schema<Part>("A part.")
                                 .required("name", &Part::name, "how it is called")
                                 .field("count", &Part::count, "how many", config::between(1, 100));
  return schema;
}

const config::Schema<Whole>& whole_schema() {
  static const auto schema =
      config::Schema<Whole>("All kinds of fields.")
          .field("flag", &Whole::flag, "yes or no")
          .field("steps", &Whole::steps, "a count", config::at_least(0))
          .field("rate", &Whole::rate, "a number", config::above(0.0))
          .field("precision", &Whole::precision, "a choice", config::one_of({"f32", "bf16"}))
          .field("sizes", &Whole::sizes, "counts", config::each<int64_t>(config::at_least(1)))
          .field("betas", &Whole::betas, "numbers")
          .field("names", &Whole::names, "words")
          .field("loss", &Whole::loss, "what a plugin reads")
          .section("part", &Whole::part, "a section", part_schema())
          .tables("stages", &Whole::stages, "a list of sections", part_schema())
          .check([](const Whole& whole) { return whole.sizes.size() > 3 ? "too many sizes" : ""; });
  return schema;
}

void expect_equal(const std::string& a, const std::string& b) {
  if (a != b) std::abort();
}

void check(const std::string& text) {
  const size_t end = text.find("\n---\n");
  config::Table table = config::parse_text(text.substr(0, end), "fuzzed.toml");
  if (end != std::string::npos) {
    std::istringstream overrides(text.substr(end + 5));
    for (std::string line; std::getline(overrides, line);) config::apply_override(table, line);
  }
  const std::string written = config::to_toml(table);
  expect_equal(config::to_toml(config::parse_text(written, "written.toml")), written);

  config::Problems problems;
  const Whole whole = whole_schema().parse(table, {}, {}, problems);
  if (!problems.empty()) {
    if (problems.messages().empty()) std::abort();
    return;
  }
  const config::Table dumped = whole_schema().dump(whole);
  const Whole again = whole_schema().parse(dumped, {}, {}, problems);
  problems.throw_if_any();
  expect_equal(config::to_toml(whole_schema().dump(again)), config::to_toml(dumped));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  try {
    check({reinterpret_cast<const char*>(data), size});
  } catch (const Error&) {
  }
  return 0;
}
