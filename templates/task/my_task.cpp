// How evenly an embedding uses its sphere: the uniformity of Wang & Isola 2020 ("Understanding contrastive
// representation learning through alignment and uniformity on the hypersphere"), log mean exp(−t |x − y|²) over pairs
// of test objects at unit length. 0: all in one point; the lower, the more even.
#include <plugin/record.h>
#include <search/knn.h>

#include <algorithm>
#include <cmath>

namespace {

using namespace astroclip;

class MyTask final : public Task {
 public:
  struct Parameters {
    double t = 2.0;
    int64_t limit = 2000;
  };

  static const config::Schema<Parameters>& schema() {
    static const auto schema =
        config::Schema<Parameters>("How evenly embeddings are spread over the sphere.")
            .field("t", &Parameters::t, "factor on squared distances", config::above(0.0))
            .field("limit", &Parameters::limit, "test objects taken at most, the first ones", config::at_least(2))
            .example(R"(
[[tasks]]
plugin = "my_task"
limit = 500
)");
    return schema;
  }

  explicit MyTask(const Parameters& parameters) : p_(parameters) {}

  std::vector<std::string> labels() const override { return {}; }

  TaskResult run(const TaskInput& input) const override {
    Report report{"uniformity of embeddings",
                  "log mean exp(−t |x − y|²) over pairs of test objects; the lower, the more "
                  "evenly they are spread",
                  {}};
    for (const Representation& one : input.representations) {
      if (one.has_units) continue;  // principal components and magnitudes lie on no sphere
      std::vector<int64_t> objects = one.test.objects;
      objects.resize(std::min(objects.size(), static_cast<size_t>(p_.limit)));
      if (objects.size() < 2) continue;
      const Matrix vectors = of_some(one.test, objects).values;
      report.rows.push_back(
          {one.name, one.modality, "sphere", one.role, {{"uniformity", uniformity(vectors)}}, 0, vectors.rows});
    }
    return {{report}};
  }

 private:
  double uniformity(const Matrix& matrix) const {
    const Matrix unit = search::unit_rows(matrix);
    double sum = 0.0, pairs = 0.0;
    for (int64_t i = 0; i < matrix.rows; ++i) {
      for (int64_t j = 0; j < i; ++j, pairs += 1.0) {
        const auto a = unit.row(i), b = unit.row(j);
        double squared = 0.0;
        for (size_t k = 0; k < a.size(); ++k) {
          const double difference = a[k] - b[k];
          squared += difference * difference;
        }
        sum += std::exp(-p_.t * squared);
      }
    }
    return std::log(sum / pairs);
  }

  Parameters p_;
};

}  // namespace

ASTROCLIP_PLUGIN(astroclip::Task, MyTask)
