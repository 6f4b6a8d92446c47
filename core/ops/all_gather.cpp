#include "autograd/tape.h"
#include "ops/check_internal.h"
#include "ops/ops.h"

namespace astroclip::ops {

Tensor all_gather(const Tensor& x, Communicator& communicator) {
  if (communicator.size() == 1) return x;
  if (x.rank() < 1) refuse("all_gather", "needs rows, found a scalar");
  const int64_t begin = communicator.rank() * x.size(0), end = begin + x.size(0);
  return autograd::record("all_gather", communicator.all_gather(x.detach()), {x}, [=, &communicator](const Tensor& dy) {
    Tensor total = dy.clone();
    communicator.all_reduce(total);
    return std::vector<Tensor>{total.view_rows(begin, end)};
  });
}

}  // namespace astroclip::ops
