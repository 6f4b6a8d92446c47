// A plugin whose constructor throws what its parameter says.
#include "base/error.h"
#include "plugin/record.h"

namespace {

class Throwing : public astroclip::Task {
 public:
  struct Parameters {
    std::string what = "runtime_error";
  };
  static const astroclip::config::Schema<Parameters>& schema() {
    static const auto schema = astroclip::config::Schema<Parameters>("Throws.").field(
        "what", &Parameters::what, "what to throw", astroclip::config::one_of({"runtime_error", "error", "number"}));
    return schema;
  }
  explicit Throwing(const Parameters& parameters) {
    if (parameters.what == "error") throw astroclip::Error("the plugin's own words");
    if (parameters.what == "number") throw 42;
    throw std::runtime_error("no such table");
  }

  std::vector<std::string> labels() const override { return {}; }
  astroclip::TaskResult run(const astroclip::TaskInput&) const override { return {}; }
};

}  // namespace

ASTROCLIP_PLUGIN(astroclip::Task, Throwing)
