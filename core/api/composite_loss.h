#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "api/loss.h"

namespace astroclip {

/// A loss made of other losses, its parts. They get what they ask for; an embedding that several ask for is computed
/// once.
class CompositeLoss : public Loss {
 public:
  /// The views of all parts. Throws Error when two of them want different views of one name.
  std::vector<ViewRequest> views(const LossSetup& setup) const override;
  std::vector<std::string> labels() const override;
  void attach(LossSetup& setup) override;
  /// Terms are the total of each part, under its name, and its own terms: "clip", "vicreg.variance".
  LossValue forward(LossContext& context) override;
  void begin() override;
  void after_update(LossSetup& setup, int64_t step, int64_t steps) override;
  void after_skip() override;
  /// The most that a part asks for.
  int64_t batch_norm_groups(const std::string& tower) const override;
  /// Those of all parts.
  std::vector<LossFigure> figures(LossContext& context) override;
  /// That of the first part which has one.
  const Encoder* product(const std::string& tower) const override;

 protected:
  /// Adds a part, a child of the module under this name; call in the constructor.
  void add_part(const std::string& name, std::shared_ptr<Loss> loss);
  /// What training minimises, from the totals of the parts in the order in which they were added.
  virtual Tensor combined(const std::vector<Tensor>& totals, const LossContext& context) const = 0;

 private:
  std::vector<std::pair<std::string, std::shared_ptr<Loss>>> parts_;
};

}  // namespace astroclip
