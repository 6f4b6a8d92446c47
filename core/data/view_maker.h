#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "api/dataset.h"
#include "api/view.h"
#include "data/view_group.h"
#include "data/view_steps.h"

namespace astroclip::data {

/// One modality's view for the encoder that will take it.
struct ViewPlan {
  ViewRequest request;
  Shape shape;                         ///< of one object as the encoder takes it
  std::vector<ViewGroup> groups = {};  ///< those that an augmented view's request names
};

/// Makes a view of each object, and with it those that share its draws. A plain view of a field of planes [C, H, W] is
/// the centre, which goes through the stretch that the dataset's preprocessing names; an augmented one is made by the
/// steps of its groups.
class ViewMaker {
 public:
  /// Of the first view, and of the others with it. Throws Error naming the view when the dataset has no such field or
  /// the encoder takes another shape.
  ViewMaker(const Dataset& dataset, const std::vector<ViewPlan>& views);

  /// The first view's.
  const std::string& name() const { return parts_[0].view; }
  /// What it is made of.
  std::vector<std::string> fields() const;
  /// Adds the views [rows · crops, view shape] of `rows` objects, an object's crops together. `raw` has the fields as
  /// f32; `stream(i)` is what view i draws from. The views lie in `memory`.
  void make(const HostBatch& raw, int64_t rows, const std::function<Rng(int64_t view)>& stream,
            std::map<std::string, HostArray>& views,
            std::pmr::memory_resource* memory = std::pmr::get_default_resource()) const;

 private:
  struct Part {
    std::string view, field;
    Shape raw, shape;  ///< of one object
  };
  std::vector<Part> parts_;
  std::vector<std::vector<ViewStep>> steps_;  ///< of the first crop, the second …, from the first again after the last
  int64_t crops_;
};

/// Makers of all views, those together that share their draws. Throws Error naming the view that goes with none of
/// them, and as ViewMaker does.
std::vector<ViewMaker> view_makers(const Dataset& dataset, const std::vector<ViewPlan>& views);

}  // namespace astroclip::data
