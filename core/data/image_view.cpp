#include "data/image_view.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "base/error.h"
#include "data/survey.h"
#include "data/to_rgb.h"

namespace astroclip::data {

void make_image_view(const ViewRequest& view, std::span<const float> raw, const Shape& view_shape,
                     const ImageAugmentation& augmentation, const std::string& where, Rng& rng, std::span<float> out) {
  const int64_t size = view_shape.rank() == 3 ? view_shape[2] : 0;
  if (view_shape.rank() != 3 || view_shape[0] != bands || view_shape[1] != size || size < 1 || size > image_side)
    throw Error(
        fmt::format("{}: view '{}': the encoder takes images of {}, crops of [3, n, n] with n at most {} can "
                    "be had",
                    where, view.name, view_shape.str(), image_side));
  const int64_t margin = image_side - size;
  int64_t x0 = margin / 2;
  int64_t y0 = margin / 2;
  int64_t element = 0;
  if (view.augment) {
    const int64_t reach = view.size > 0 ? margin : std::min(2 * augmentation.jitter, margin);
    x0 = (margin - reach) / 2 + rng.below(reach + 1);
    y0 = (margin - reach) / 2 + rng.below(reach + 1);
    if (augmentation.turns) element = rng.below(8);
  }
  std::vector<float> planes(out.size());
  crop(raw, image_side, x0, y0, size, planes);
  to_rgb(planes, size * size, out);
  turn(out, size, element);
}

}  // namespace astroclip::data
