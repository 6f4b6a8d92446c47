#include <array>

#include "backend/attention_pool_internal.h"

namespace astroclip {

namespace {

constexpr std::array<int, 3> heads_first = {1, 0, 2}, tokens_last = {0, 2, 1};

/// The products' operands: tokens in the dtype that the backend computes in, and arrays between products.
class Products {
 public:
  Products(Backend& backend, Device device, ConstView tokens, int64_t head_count)
      : batch(tokens.shape[0]),
        length(tokens.shape[1]),
        width(tokens.shape[2]),
        heads(head_count),
        backend_(backend),
        device_(device) {
    if (tokens.dtype != backend.compute_dtype()) {
      converted_ = temporary(tokens.shape);
      backend.cast(tokens, converted_);
      tokens = converted_;
    }
    of_objects = tokens;
    of_all = {tokens.data, {batch * length, width}, tokens.dtype};
  }
  Tensor temporary(const Shape& shape) const { return Tensor::empty(shape, backend_.compute_dtype(), device_); }

  int64_t batch, length, width, heads;
  ConstView of_objects;  ///< tokens [batch, length, width]
  ConstView of_all;      ///< tokens [batch · length, width]

 private:
  Backend& backend_;
  Device device_;
  Tensor converted_;
};

/// An array [objects, rows, ...] as [objects · rows, last].
View flat(View x) { return {x.data, {x.shape[0] * x.shape[1], x.shape[2]}, x.dtype}; }
View flat(Tensor& x) { return flat(View(x)); }

}  // namespace

void attention_pool_by_products(Backend& backend, Device device, const AttentionPoolArguments& arguments) {
  const Products p(backend, device, arguments.tokens, arguments.queries.shape[0]);
  Tensor scores = p.temporary({p.batch, p.length, p.heads});
  backend.matmul(p.of_all, false, arguments.queries, true, 1.0, flat(scores));
  Tensor turned = p.temporary({p.batch, p.heads, p.length});
  backend.permute(scores, tokens_last, turned);
  const View weights = arguments.weights ? arguments.weights : View(turned);
  backend.softmax(flat(turned), {}, 1.0, flat(weights));
  Tensor means = p.temporary({p.batch, p.heads, p.width});
  backend.matmul(weights, false, p.of_objects, false, 1.0, means);
  backend.permute(means, heads_first, arguments.y);
}

void attention_pool_backward_by_products(Backend& backend, Device device,
                                         const AttentionPoolBackwardArguments& arguments) {
  const Products p(backend, device, arguments.tokens, arguments.queries.shape[0]);
  Tensor dmeans = p.temporary({p.batch, p.heads, p.width});
  backend.permute(arguments.dy, heads_first, dmeans);
  Tensor dweights = p.temporary({p.batch, p.heads, p.length}), dturned = p.temporary(dweights.shape());
  backend.matmul(dmeans, false, p.of_objects, true, 1.0, dweights);
  const ConstView weights = arguments.weights;
  const Shape rows = {p.batch * p.heads, p.length};
  backend.softmax_backward(flat(dweights), ConstView(weights.data, rows, weights.dtype), flat(dturned));
  Tensor dscores = p.temporary({p.batch, p.length, p.heads});
  backend.permute(dturned, tokens_last, dscores);
  if (arguments.dqueries) backend.matmul(flat(dscores), true, p.of_all, false, 1.0, arguments.dqueries);
  if (!arguments.dtokens) return;
  const View dtokens = arguments.dtokens;
  const bool converts = dtokens.dtype != backend.compute_dtype();
  Tensor through_weights = converts ? p.temporary(dtokens.shape) : Tensor(),
         through_scores = p.temporary(dtokens.shape);
  const View sum = converts ? View(through_weights) : dtokens;
  backend.matmul(weights, true, dmeans, false, 1.0, sum);
  backend.matmul(flat(dscores), false, arguments.queries, false, 1.0, flat(through_scores));
  backend.scale_add(1.0, through_scores, 1.0, 0.0, sum);
  if (converts) backend.cast(sum, dtokens);
}

}  // namespace astroclip
