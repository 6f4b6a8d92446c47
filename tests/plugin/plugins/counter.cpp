// A sound plugin: a task whose one parameter it reports back.
#include "plugin/record.h"

namespace {

class Counter : public astroclip::Task {
 public:
  struct Parameters {
    int64_t count = 3;
  };
  static const astroclip::config::Schema<Parameters>& schema() {
    using namespace astroclip::config;
    static const auto schema =
        Schema<Parameters>("Counts.").field("count", &Parameters::count, "how far to count", between(1, 9));
    return schema;
  }
  explicit Counter(const Parameters& parameters) : count_(parameters.count) {}

  std::vector<std::string> labels() const override { return {}; }
  astroclip::TaskResult run(const astroclip::TaskInput&) const override {
    return {{{"counted", std::to_string(count_), {}}}};
  }

 private:
  int64_t count_;
};

}  // namespace

ASTROCLIP_PLUGIN(astroclip::Task, Counter)
