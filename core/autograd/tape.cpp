#include "autograd/tape.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <queue>
#include <unordered_map>
#include <utility>

#include "backend/backend.h"
#include "base/error.h"

namespace astroclip::autograd {

namespace {

thread_local bool recording_enabled = true;
thread_local bool in_replay = false;

uint64_t next_sequence() {
  static std::atomic<uint64_t> counter{0};
  return ++counter;
}

/// While it lives, ops are recorded as computed once more.
class ReplayScope {
 public:
  ReplayScope() : recorded_(std::exchange(recording_enabled, true)), replayed_(std::exchange(in_replay, true)) {}
  ~ReplayScope() {
    recording_enabled = recorded_;
    in_replay = replayed_;
  }
  ReplayScope(const ReplayScope&) = delete;
  ReplayScope& operator=(const ReplayScope&) = delete;

 private:
  bool recorded_, replayed_;
};

/// Adds `more` to `sum`, in place if nothing else refers to it.
void accumulate(Tensor& sum, Tensor more) {
  if (!sum.defined()) {
    sum = std::move(more);
    return;
  }
  Backend& backend = backend_of(sum.device());
  if (sum.sole_owner()) {
    backend.scale_add(1.0, more, 1.0, 0.0, sum);
    return;
  }
  Tensor total = Tensor::empty(sum.shape(), sum.dtype(), sum.device());
  backend.binary(BinaryOp::add, sum, more, total);
  sum = std::move(total);
}

/// What a node's rule records. Throws Error when it is something else than before.
Tensor replayed(const Node& node, const Replay& rule, const Shape& shape) {
  const ReplayScope scope;
  Tensor again = rule();
  if (again.requires_grad() && again.shape() == shape) return again;
  throw Error(fmt::format("[backward] op '{}' gave {} first and {} when it was computed again", node.name, shape.str(),
                          again.requires_grad() ? again.shape().str() : "what needs no gradient"));
}

}  // namespace

Node::Node(const char* op_name, std::vector<Tensor> op_inputs, Rule rule)
    : name(op_name), sequence(next_sequence()), inputs(std::move(op_inputs)), backward(std::move(rule)) {}

bool recording() { return recording_enabled; }
bool replaying() { return in_replay; }

NoGrad::NoGrad() : previous_(recording_enabled) { recording_enabled = false; }
NoGrad::~NoGrad() { recording_enabled = previous_; }

bool needs_gradient(std::initializer_list<const Tensor*> inputs) {
  return recording_enabled && std::ranges::any_of(inputs, [](const Tensor* input) { return input->requires_grad(); });
}

Tensor record(const char* name, Tensor output, std::vector<Tensor> inputs, Node::Rule backward) {
  const bool wanted = recording_enabled && std::ranges::any_of(inputs, [](const Tensor& input) {
                        return input.defined() && input.requires_grad();
                      });
  if (wanted) {
    output.set_requires_grad(true);
    output.set_node(std::make_shared<Node>(name, std::move(inputs), std::move(backward)));
  }
  return output;
}

void backward(const Tensor& output, Tensor gradient) {
  if (!output.requires_grad()) throw Error("[backward] the tensor was not computed from any parameter");
  if (!gradient.defined()) {
    if (output.numel() != 1) {
      throw Error(fmt::format("[backward] shape {} needs an explicit cotangent", output.shape().str()));
    }
    gradient = Tensor::empty(output.shape(), output.dtype(), output.device());
    backend_of(output.device()).fill(gradient, 1.0);
  }
  const NoGrad guard;

  struct Pending {
    std::shared_ptr<Node> node;
    Tensor gradient;
  };
  std::unordered_map<const Node*, Pending> pending;
  const auto later = [](const Node* a, const Node* b) { return a->sequence < b->sequence; };
  std::priority_queue<const Node*, std::vector<const Node*>, decltype(later)> order(later);

  const auto deliver = [&](Tensor& target, Tensor share) {
    if (const auto& node = target.node()) {
      auto [entry, added] = pending.try_emplace(node.get(), Pending{node, {}});
      accumulate(entry->second.gradient, std::move(share));
      if (added) order.push(node.get());
    } else {
      Tensor sum = target.grad();
      target.set_grad({});
      accumulate(sum, std::move(share));
      target.set_grad(std::move(sum));
    }
  };

  const auto take = [&](Tensor& target) {
    const auto& node = target.node();
    if (!node) {
      Tensor gathered = target.grad();
      target.set_grad({});
      return gathered;
    }
    const auto entry = pending.find(node.get());
    return entry == pending.end() ? Tensor() : std::exchange(entry->second.gradient, {});
  };
  const auto shares_of = [&](Node& node, const Tensor& incoming) {
    if (const auto* rule = std::get_if<Backward>(&node.backward)) return (*rule)(incoming);
    Tensor& first = node.inputs.front();
    return std::get<AddingBackward>(node.backward)(incoming, first.requires_grad() ? take(first) : Tensor());
  };

  Tensor root = output;
  deliver(root, std::move(gradient));
  while (!order.empty()) {
    const auto entry = pending.find(order.top());
    order.pop();
    Pending current = std::move(entry->second);
    pending.erase(entry);
    if (std::visit([](const auto& rule) { return !rule; }, current.node->backward)) {
      throw Error(fmt::format("[backward] the tape of op '{}' was already used", current.node->name));
    }
    if (const auto* replay = std::get_if<Replay>(&current.node->backward)) {
      Tensor again = replayed(*current.node, *replay, current.gradient.shape());
      current.node->backward = {};
      deliver(again, std::move(current.gradient));
      continue;
    }
    std::vector<Tensor> shares = shares_of(*current.node, current.gradient);
    current.gradient = {};
    current.node->backward = {};  // frees the activations this op saved
    std::vector<Tensor> inputs = std::move(current.node->inputs);
    for (size_t i = 0; i < inputs.size(); ++i) {
      if (inputs[i].defined() && inputs[i].requires_grad() && i < shares.size() && shares[i].defined()) {
        deliver(inputs[i], std::move(shares[i]));
      }
    }
  }
}

}  // namespace astroclip::autograd
