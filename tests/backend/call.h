#pragma once

#include <functional>
#include <list>
#include <memory>
#include <string>
#include <vector>

#include "backend/backend.h"

namespace astroclip::test {

/// One call of a kernel on one device. A case asks it for inputs and outputs and so runs unchanged on every
/// backend, in its dtype. Every output has guards on both sides and starts as NaN; around inputs lies NaN.
class Call {
 public:
  Call(Device on, Precision with) : device(on), backend(backend_of(on)), precision(with) {}

  Device device;
  Backend& backend;
  Precision precision;
  DType dtype() const { return backend.compute_dtype(); }
  /// That of activations that only products read.
  DType stored() const { return backend.stored_dtype(precision); }

  /// Uniform numbers in [low, high), the same on every backend: each is exact in float32 or, in that precision, in
  /// bf16.
  ConstView random(const Shape& shape, double low = -2.0, double high = 2.0);
  /// Each number is exact in bf16, so that sums which cancel are compared by what the kernel rounds.
  ConstView random(const Shape& shape, DType type);
  ConstView values(const std::vector<double>& numbers, const Shape& shape) { return values(numbers, shape, dtype()); }
  ConstView values(const std::vector<double>& numbers, const Shape& shape, DType type);
  ConstView indices(const std::vector<int64_t>& numbers);
  View output(const std::string& name, const Shape& shape) { return output(name, shape, dtype()); }
  View output(const std::string& name, const Shape& shape, DType type);
  /// An output that starts with numbers of its own.
  View in_place(const std::string& name, const Shape& shape, double low = -2.0, double high = 2.0);
  View in_place(const std::string& name, const Shape& shape, DType type);

  struct Output {
    std::string name;
    std::vector<double> values;
    bool guards_intact;
  };
  std::vector<Output> outputs() const;
  /// The outputs' bytes one after the other.
  std::vector<std::byte> bytes() const;

 private:
  struct Buffer {
    std::string name;
    Shape shape;
    DType dtype;
    std::shared_ptr<void> block;  ///< on the device, guards included
    std::byte* data() const;
    int64_t bytes() const { return shape.numel() * size_of(dtype); }
  };
  Buffer buffer(const std::string& name, const Shape& shape, DType type, std::byte guard,
                const std::vector<double>& values) const;
  /// With the guards, on the host.
  std::vector<std::byte> contents(const Buffer& buffer) const;
  std::vector<double> draw(int64_t count, double low, double high);
  std::vector<double> draw_of_bf16(int64_t count);

  std::list<Buffer> inputs_, outputs_;
  uint64_t drawn_ = 0;
};

/// How exact a kernel is to be, see the table in kernel_test.cpp.
enum class Exactness { copies, pointwise, sums };

struct Case {
  std::string kernel;  ///< as in backend.h
  std::string label;
  Exactness exactness;
  std::function<void(Call&)> body;
  bool takes_bf16 = false;  ///< has a Precision
};

std::vector<Case> elementwise_cases();
std::vector<Case> layout_cases();
std::vector<Case> product_cases();
std::vector<Case> attention_cases();
std::vector<Case> row_cases();
std::vector<Case> window_cases();
std::vector<Case> optimiser_cases();
std::vector<Case> empty_cases();
std::vector<Case> all_cases();

}  // namespace astroclip::test
