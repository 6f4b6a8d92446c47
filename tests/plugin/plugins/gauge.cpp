// A sound plugin with parameters of several types.
#include "plugin/record.h"

namespace {

using namespace astroclip::config;

struct Pace {
  double seconds = 0.5;
};

class Gauge : public astroclip::Task {
 public:
  struct Parameters {
    std::string unit;
    std::vector<std::string> probes = {"knn"};
    Pace pace;
  };
  static const Schema<Parameters>& schema() {
    static const auto pace = Schema<Pace>("").field("seconds", &Pace::seconds, "time for each", above(0.0));
    static const auto schema = Schema<Parameters>("Measures.")
                                   .required("unit", &Parameters::unit, "what lengths are in", one_of({"Å", "nm"}))
                                   .field("probes", &Parameters::probes, "what to train")
                                   .section("pace", &Parameters::pace, "how fast", pace);
    return schema;
  }
  explicit Gauge(const Parameters&) {}

  std::vector<std::string> labels() const override { return {}; }
  astroclip::TaskResult run(const astroclip::TaskInput&) const override { return {}; }
};

}  // namespace

ASTROCLIP_PLUGIN(astroclip::Task, Gauge)
