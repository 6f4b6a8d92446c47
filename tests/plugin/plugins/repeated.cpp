// A plugin whose schema has two fields of one name.
#include "plugin/record.h"

namespace {

class Repeated : public astroclip::Task {
 public:
  struct Parameters {
    int64_t first = 1, second = 2;
  };
  static const astroclip::config::Schema<Parameters>& schema() {
    static const auto schema = astroclip::config::Schema<Parameters>("Counts twice.")
                                   .field("count", &Parameters::first, "how many")
                                   .field("count", &Parameters::second, "how many others");
    return schema;
  }
  explicit Repeated(const Parameters&) {}

  std::vector<std::string> labels() const override { return {}; }
  astroclip::TaskResult run(const astroclip::TaskInput&) const override { return {}; }
};

}  // namespace

ASTROCLIP_PLUGIN(astroclip::Task, Repeated)
