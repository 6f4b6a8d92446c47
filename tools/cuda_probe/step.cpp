// A training step of transformer blocks: what stops of the host and uploads cost, and what stochastic depth gains by
// leaving samples out. Usage: step check|stalls|depth …
#include <algorithm>
#include <cmath>
#include <cstring>
#include <memory>
#include <numeric>
#include <random>

#include "blocks.h"

namespace {

const BlocksShape global_crops{.batch = 128, .tokens = 145, .width = 1024, .heads = 16, .depth = 24};
const BlocksShape local_crops{.batch = 512, .tokens = 26, .width = 1024, .heads = 16, .depth = 24};
const BlocksShape spectra{.batch = 64, .tokens = 778, .width = 768, .heads = 6, .depth = 6};

/// Host memory that copies reach without a stop between.
class Pinned {
 public:
  explicit Pinned(size_t bytes) : bytes_(bytes) {
    if (bytes == 0) return;
    check(cudaMallocHost(&data_, bytes));
    std::memset(data_, 0, bytes);
  }
  Pinned(const Pinned&) = delete;
  ~Pinned() { cudaFreeHost(data_); }
  template <class T>
  T* as() const {
    return static_cast<T*>(data_);
  }
  size_t bytes() const { return bytes_; }

 private:
  void* data_ = nullptr;
  size_t bytes_;
};

/// Which samples each branch sees, and by how much it is multiplied.
struct Draw {
  Pinned samples, factors;

  explicit Draw(const BlocksShape& s)
      : samples(static_cast<size_t>(2 * s.depth * s.kept) * sizeof(int)),
        factors(static_cast<size_t>(2 * s.depth * s.kept) * sizeof(float)) {}
};

/// The same fixed number of samples for every branch, others each time.
void draw_kept(const BlocksShape& s, std::mt19937_64& random, Draw& draw) {
  std::vector<int> order(static_cast<size_t>(s.batch));
  std::iota(order.begin(), order.end(), 0);
  for (int64_t branch = 0; branch < 2 * s.depth; ++branch) {
    std::shuffle(order.begin(), order.end(), random);
    std::sort(order.begin(), order.begin() + s.kept);
    std::copy_n(order.begin(), s.kept, draw.samples.as<int>() + branch * s.kept);
  }
  std::fill_n(draw.factors.as<float>(), 2 * s.depth * s.kept, static_cast<float>(s.batch) / static_cast<float>(s.kept));
}
/// All samples, the branch of each of them switched off with probability `rate`.
void draw_masks(const BlocksShape& s, double rate, std::mt19937_64& random, Draw& draw) {
  std::bernoulli_distribution is_off(rate);
  for (int64_t i = 0; i < 2 * s.depth * s.kept; ++i) {
    draw.samples.as<int>()[i] = static_cast<int>(i % s.kept);
    draw.factors.as<float>()[i] = is_off(random) ? 0.0F : static_cast<float>(1.0 / (1.0 - rate));
  }
}

void start(Libraries& libraries, Blocks& blocks) {
  const int64_t count = blocks.shape().rows() * blocks.shape().width;
  fill_normal(blocks.input(), count, 7, 1.0, 0.0, libraries.stream);
  fill_normal(blocks.output_slope(), count, 8, 1e-3, 0.0, libraries.stream);
  libraries.stream.wait();
}

// ---- check: gradients against differences, and stochastic depth against itself

std::vector<float> numbers(const float* from, int64_t count) {
  std::vector<float> host(static_cast<size_t>(count));
  check(cudaMemcpy(host.data(), from, host.size() * sizeof(float), cudaMemcpyDeviceToHost));
  return host;
}
double difference(const std::vector<float>& a, const std::vector<float>& b) {
  double sum = 0.0, size = 0.0;
  for (size_t i = 0; i < a.size(); ++i) {
    sum += (static_cast<double>(a[i]) - b[i]) * (static_cast<double>(a[i]) - b[i]);
    size += static_cast<double>(b[i]) * b[i];
  }
  return std::sqrt(sum / size);
}

struct Outcome {
  std::vector<float> output, input_slope, gradients;
};
Outcome outcome(Libraries& libraries, Blocks& blocks, Draw* draw) {
  start(libraries, blocks);
  if (draw != nullptr) blocks.draw(draw->samples.as<int>(), draw->factors.as<float>());
  blocks.forward();
  blocks.backward();
  libraries.stream.wait();
  const int64_t count = blocks.shape().rows() * blocks.shape().width;
  std::vector<bf16> output(static_cast<size_t>(count));
  check(cudaMemcpy(output.data(), blocks.output(), output.size() * sizeof(bf16), cudaMemcpyDeviceToHost));
  return {{output.begin(), output.end()},
          numbers(blocks.input_slope(), count),
          numbers(blocks.gradients().get(), blocks.gradients().count())};
}

/// Moves the array along its gradient, forth and back: how the loss Σ output · slope changes, over what the gradient
/// says.
double slope_ratio(Libraries& libraries, Blocks& blocks, float* array, const std::vector<float>& gradient,
                   double step) {
  double norm = 0.0;
  for (const float g : gradient) norm += static_cast<double>(g) * g;
  norm = std::sqrt(norm);
  const auto count = static_cast<int64_t>(gradient.size());
  const std::vector<float> values = numbers(array, count);
  const int64_t outputs = blocks.shape().rows() * blocks.shape().width;
  std::vector<bf16> output(static_cast<size_t>(outputs)), slope(output.size());
  check(cudaMemcpy(slope.data(), blocks.output_slope(), slope.size() * sizeof(bf16), cudaMemcpyDeviceToHost));
  const auto put = [&](const std::vector<float>& numbers) {
    check(cudaMemcpy(array, numbers.data(), numbers.size() * sizeof(float), cudaMemcpyHostToDevice));
    check(cudaDeviceSynchronize());
    blocks.update(0.0F);  // the bf16 copies
  };
  const auto loss = [&](double along) {
    std::vector<float> moved(values.size());
    for (size_t i = 0; i < moved.size(); ++i) moved[i] = static_cast<float>(values[i] + along * gradient[i] / norm);
    put(moved);
    blocks.forward();
    libraries.stream.wait();
    check(cudaMemcpy(output.data(), blocks.output(), output.size() * sizeof(bf16), cudaMemcpyDeviceToHost));
    double sum = 0.0;
    for (size_t i = 0; i < output.size(); ++i) {
      sum += static_cast<double>(static_cast<float>(output[i])) * static_cast<float>(slope[i]);
    }
    return sum;
  };
  const double change = (loss(step) - loss(-step)) / (2.0 * step);
  put(values);
  return change / norm;
}

void check_blocks(Libraries& libraries) {
  const BlocksShape all{.batch = 8, .tokens = 145, .width = 1024, .heads = 16, .depth = 3};
  BlocksShape masked = all, dropped = all;
  masked.kept = 8;
  dropped.kept = 5;
  Outcome plain;
  {
    Blocks blocks(libraries, all);
    plain = outcome(libraries, blocks, nullptr);
    const double by_input = slope_ratio(libraries, blocks, blocks.input(), plain.input_slope, 2.0),
                 by_parameters = slope_ratio(libraries, blocks, blocks.parameters().get(), plain.gradients, 0.5);
    say("check: change of the loss over what the gradient says (1): input %.3f, parameters %.3f", by_input,
        by_parameters);
    const Outcome again = outcome(libraries, blocks, nullptr);
    say("check: the same once more differs by (0): output %.1e, input's gradient %.1e, parameters' %.1e",
        difference(again.output, plain.output), difference(again.input_slope, plain.input_slope),
        difference(again.gradients, plain.gradients));
  }
  const auto say_difference = [](const char* name, const Outcome& a, const Outcome& b) {
    say("check: %s differ by (below 1e-2): output %.1e, input's gradient %.1e, parameters' %.1e", name,
        difference(a.output, b.output), difference(a.input_slope, b.input_slope), difference(a.gradients, b.gradients));
  };
  std::mt19937_64 random(1);
  Blocks with_masks(libraries, masked);
  Draw masks(masked);
  draw_masks(masked, 0.0, random, masks);
  say_difference("sums in the product and sums afterwards", outcome(libraries, with_masks, &masks), plain);
  Blocks with_fewer(libraries, dropped);
  Draw kept(dropped);
  draw_kept(dropped, random, kept);
  for (int64_t branch = 0; branch < 2 * all.depth; ++branch) {
    float* factors = masks.factors.as<float>() + branch * 8;
    std::fill_n(factors, 8, 0.0F);
    for (int64_t i = 0; i < 5; ++i) factors[kept.samples.as<int>()[branch * 5 + i]] = 8.0F / 5.0F;
  }
  say_difference("samples left out and the same samples masked", outcome(libraries, with_fewer, &kept),
                 outcome(libraries, with_masks, &masks));
}

// ---- depth: what leaving samples out gains

void depth(Libraries& libraries, const std::string& name, const BlocksShape& plain, double rate) {
  enum class Kind { none, masks, left_out };
  for (const Kind kind : {Kind::none, Kind::masks, Kind::left_out}) {
    attempt(name, [&] {
      BlocksShape s = plain;
      if (kind == Kind::masks) s.kept = s.batch;
      if (kind == Kind::left_out) {
        s.kept = std::max<int64_t>(static_cast<int64_t>(static_cast<double>(s.batch) * (1.0 - rate)), 1);
      }
      Blocks blocks(libraries, s);
      Draw draw(s);
      std::mt19937_64 random(1);
      if (kind == Kind::masks) draw_masks(s, rate, random, draw);
      if (kind == Kind::left_out) draw_kept(s, random, draw);
      const auto forward = [&] {
        if (s.kept > 0) blocks.draw(draw.samples.as<int>(), draw.factors.as<float>());
        blocks.forward();
      };
      const auto backward = [&] { blocks.backward(); };
      const auto step = [&] {
        forward();
        backward();
        blocks.update(1e-6F);
      };
      start(libraries, blocks);
      step();
      const double forward_ms = time_ms(forward, 3, 5, libraries.stream),
                   backward_ms = time_ms(backward, 3, 5, libraries.stream),
                   step_ms = time_ms(step, 3, 5, libraries.stream);
      say("depth, %s, %s: forward %.2f ms, backward %.2f, step %.2f (%.0f TFLOP/s of all samples)", name.c_str(),
          kind == Kind::none    ? "none"
          : kind == Kind::masks ? "masks"
                                : ("samples left out, " + std::to_string(s.kept) + " kept").c_str(),
          forward_ms, backward_ms, step_ms, plain.operations() / step_ms * 1e-9);
    });
  }
}

// ---- stalls: what stops of the host cost

enum class Reads { none, four, late };
enum class Views { none, ordinary, converted_and_ordinary, pinned };

/// Steps on the host's clock, with reads of single numbers and uploads of views as asked for.
class Trainer {
 public:
  Trainer(Libraries& libraries, Blocks& blocks, size_t view_bytes)
      : libraries_(libraries),
        blocks_(blocks),
        ordinary_(view_bytes),
        converted_(view_bytes),
        pinned_(std::max<size_t>(view_bytes, 16)),
        views_(static_cast<int64_t>(view_bytes)),
        next_views_(static_cast<int64_t>(view_bytes)) {}

  double ms_per_step(Reads reads, Views views, int steps) {
    run(reads, views, 2);
    const double start = now();
    run(reads, views, steps);
    return (now() - start) * 1e3 / steps;
  }

 private:
  void run(Reads reads, Views views, int steps) {
    const Event finished[2], uploaded;
    const auto read = [&] {
      if (reads != Reads::four) return;
      float value = 0.0F;
      check(cudaMemcpyAsync(&value, numbers_.get(), sizeof value, cudaMemcpyDeviceToHost, libraries_.stream));
      libraries_.stream.wait();
    };
    for (int step = 0; step < steps; ++step) {
      upload(views, uploaded);
      read();  // labels
      blocks_.forward();
      read();  // the loss and its terms
      blocks_.backward();
      read();  // the norm of the gradient
      blocks_.update(1e-6F);
      read();  // whether all was finite
      if (reads == Reads::late) {
        check(cudaMemcpyAsync(late_.as<float>(), numbers_.get(), 16, cudaMemcpyDeviceToHost, libraries_.stream));
        finished[step % 2].record(libraries_.stream);
        if (step > 0) finished[(step - 1) % 2].wait();
      }
    }
    libraries_.stream.wait();
  }

  void upload(Views views, const Event& uploaded) {
    const size_t bytes = ordinary_.size();
    switch (views) {
      case Views::none:
        return;
      case Views::converted_and_ordinary:
        std::memcpy(converted_.data(), ordinary_.data(), bytes);
        [[fallthrough]];
      case Views::ordinary:
        check(cudaMemcpyAsync(views_.get(), (views == Views::ordinary ? ordinary_ : converted_).data(), bytes,
                              cudaMemcpyHostToDevice, libraries_.stream));
        return;
      case Views::pinned:  // those of the step after this one, while this one runs
        uploaded.hold_back(libraries_.stream);
        check(cudaMemcpyAsync(next_views_.get(), pinned_.as<char>(), bytes, cudaMemcpyHostToDevice, copies_));
        uploaded.record(copies_);
        return;
    }
  }

  Libraries& libraries_;
  Blocks& blocks_;
  std::vector<char> ordinary_, converted_;
  Pinned pinned_, late_{16};
  Workspace views_, next_views_;
  Buffer<float> numbers_{4};
  Stream copies_;
};

void stalls(Libraries& libraries, const std::string& name, const BlocksShape& s, size_t view_bytes, int steps) {
  attempt(name, [&] {
    Blocks blocks(libraries, s);
    start(libraries, blocks);
    Trainer trainer(libraries, blocks, view_bytes);
    struct Mode {
      const char* words;
      Reads reads;
      Views views;
    };
    std::vector<Mode> modes = {{"no reads", Reads::none, Views::none},
                               {"four reads", Reads::four, Views::none},
                               {"read one step late", Reads::late, Views::none}};
    if (view_bytes > 0) {
      modes.push_back({"no reads, views from ordinary memory", Reads::none, Views::ordinary});
      modes.push_back({"four reads, views from ordinary memory", Reads::four, Views::ordinary});
      modes.push_back(
          {"four reads, views copied, then from ordinary memory", Reads::four, Views::converted_and_ordinary});
      modes.push_back({"read one step late, views from pinned memory, other stream", Reads::late, Views::pinned});
    }
    for (const double host_us : {0.0, 10.0}) {
      libraries.host_us = host_us;
      std::vector<std::vector<double>> ms(modes.size());
      for (int turn = 0; turn < 3; ++turn) {  // all of them in turn: the card gets hot
        for (size_t i = 0; i < modes.size(); ++i) {
          ms[i].push_back(trainer.ms_per_step(modes[i].reads, modes[i].views, steps));
        }
      }
      for (size_t i = 0; i < modes.size(); ++i) {
        say("stalls, %s, %2.0f us of the host before a launch, %-60s %8.3f ms a step (%.3f to %.3f)", name.c_str(),
            host_us, modes[i].words, median(ms[i]), *std::ranges::min_element(ms[i]), *std::ranges::max_element(ms[i]));
      }
    }
    libraries.host_us = 0.0;
  });
}

}  // namespace

int main(int argc, char** argv) {
  const auto program = [&] {
    say_versions();
    Libraries libraries;
    for (int i = 1; i < argc; ++i) {
      const std::string part = argv[i];
      if (part == "check") {
        attempt("check", [&] { check_blocks(libraries); });
      } else if (part == "stalls") {
        const size_t views = size_t{3} * 4 * (128 * 144 * 144 + 512 * 60 * 60);  // of 64 images: DINOv2
        stalls(libraries, "128 global crops", global_crops, views, 5);
        BlocksShape few = global_crops;
        few.batch = 4;
        stalls(libraries, "4 crops", few, 0, 30);
        BlocksShape frozen = global_crops;
        frozen.batch = 8;
        frozen.depth = 1;
        stalls(libraries, "one block, 8 crops", frozen, 0, 200);
        stalls(libraries, "64 spectra", spectra, size_t{4} * 64 * 7781, 6);
      } else if (part == "depth") {
        depth(libraries, "128 global crops, rate 0.3", global_crops, 0.3);
        depth(libraries, "512 local crops, rate 0.3", local_crops, 0.3);
      } else {
        throw std::runtime_error("there is no part '" + part + "'");
      }
    }
  };
  return attempt("step", program) ? 0 : 1;
}
