#include "backend/call.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/rng.h"

namespace astroclip::test {

namespace {

constexpr int64_t guard_bytes = 256;
constexpr std::byte guard{0xA5}, around_inputs{0xFF};

double load(const std::byte* data, DType dtype, int64_t i) {
  switch (dtype) {
    case DType::f32:
      return reinterpret_cast<const float*>(data)[i];
    case DType::f64:
      return reinterpret_cast<const double*>(data)[i];
    case DType::bf16:
      return static_cast<float>(reinterpret_cast<const BFloat16*>(data)[i]);
    case DType::i32:
      return reinterpret_cast<const int32_t*>(data)[i];
    case DType::i64:
      return static_cast<double>(reinterpret_cast<const int64_t*>(data)[i]);
    case DType::u8:
      return static_cast<double>(data[i]);
  }
  return 0.0;
}

void store(std::byte* data, DType dtype, int64_t i, double value) {
  if (dtype == DType::f32) reinterpret_cast<float*>(data)[i] = static_cast<float>(value);
  if (dtype == DType::bf16) reinterpret_cast<BFloat16*>(data)[i] = BFloat16(static_cast<float>(value));
  if (dtype == DType::f64) reinterpret_cast<double*>(data)[i] = value;
  if (dtype == DType::i64) reinterpret_cast<int64_t*>(data)[i] = static_cast<int64_t>(value);
}

}  // namespace

std::byte* Call::Buffer::data() const { return static_cast<std::byte*>(block.get()) + guard_bytes; }

Call::Buffer Call::buffer(const std::string& name, const Shape& shape, DType type, std::byte around,
                          const std::vector<double>& values) const {
  Buffer made{name, shape, type, nullptr};
  const int64_t bytes = made.bytes() + 2 * guard_bytes;
  Memory& memory = memory_of(device);
  made.block = {memory.allocate(bytes), [&memory, bytes](void* block) { memory.release(block, bytes); }};
  std::vector<std::byte> host(static_cast<size_t>(bytes), around);
  for (size_t i = 0; i < values.size(); ++i) store(host.data() + guard_bytes, type, static_cast<int64_t>(i), values[i]);
  memory.copy_from_host(made.block.get(), host.data(), bytes);
  return made;
}

std::vector<std::byte> Call::contents(const Buffer& buffer) const {
  std::vector<std::byte> host(static_cast<size_t>(buffer.bytes() + 2 * guard_bytes));
  memory_of(device).copy_to_host(host.data(), buffer.block.get(), static_cast<int64_t>(host.size()));
  return host;
}

std::vector<double> Call::draw(int64_t count, double low, double high) {
  Rng rng(20, RngStream::tests, drawn_++);
  std::vector<double> numbers(static_cast<size_t>(count));
  for (double& number : numbers) {
    const auto rounded = static_cast<float>(rng.uniform(low, high));
    number = precision == Precision::bf16 ? static_cast<float>(BFloat16(rounded)) : rounded;
  }
  return numbers;
}

ConstView Call::random(const Shape& shape, double low, double high) {
  return values(draw(shape.numel(), low, high), shape);
}

std::vector<double> Call::draw_of_bf16(int64_t count) {
  std::vector<double> numbers = draw(count, -2.0, 2.0);
  for (double& number : numbers) number = std::round(number * 64.0) / 64.0;
  return numbers;
}

ConstView Call::random(const Shape& shape, DType type) { return values(draw_of_bf16(shape.numel()), shape, type); }

ConstView Call::values(const std::vector<double>& numbers, const Shape& shape, DType type) {
  inputs_.push_back(buffer("", shape, type, around_inputs, numbers));
  return {inputs_.back().data(), shape, type};
}

ConstView Call::indices(const std::vector<int64_t>& numbers) {
  return values({numbers.begin(), numbers.end()}, {static_cast<int64_t>(numbers.size())}, DType::i64);
}

View Call::output(const std::string& name, const Shape& shape, DType type) {
  const std::vector<double> nan(static_cast<size_t>(shape.numel()), std::numeric_limits<double>::quiet_NaN());
  outputs_.push_back(buffer(name, shape, type, guard, nan));
  return {outputs_.back().data(), shape, type};
}

View Call::in_place(const std::string& name, const Shape& shape, double low, double high) {
  outputs_.push_back(buffer(name, shape, dtype(), guard, draw(shape.numel(), low, high)));
  return {outputs_.back().data(), shape, dtype()};
}

View Call::in_place(const std::string& name, const Shape& shape, DType type) {
  outputs_.push_back(buffer(name, shape, type, guard, draw_of_bf16(shape.numel())));
  return {outputs_.back().data(), shape, type};
}

std::vector<Call::Output> Call::outputs() const {
  std::vector<Output> all;
  for (const Buffer& buffer : outputs_) {
    Output output{buffer.name, {}, true};
    const std::vector<std::byte> found = contents(buffer);
    for (int64_t i = 0; i < buffer.shape.numel(); ++i) {
      output.values.push_back(load(found.data() + guard_bytes, buffer.dtype, i));
    }
    const auto intact = [](std::byte byte) { return byte == guard; };
    output.guards_intact = std::all_of(found.begin(), found.begin() + guard_bytes, intact) &&
                           std::all_of(found.end() - guard_bytes, found.end(), intact);
    all.push_back(std::move(output));
  }
  return all;
}

std::vector<std::byte> Call::bytes() const {
  std::vector<std::byte> all;
  for (const Buffer& buffer : outputs_) {
    const std::vector<std::byte> found = contents(buffer);
    all.insert(all.end(), found.begin(), found.end());
  }
  return all;
}

std::vector<Case> all_cases() {
  std::vector<Case> all;
  for (const auto& family : {elementwise_cases(), layout_cases(), product_cases(), attention_cases(), row_cases(),
                             window_cases(), optimiser_cases(), empty_cases()}) {
    all.insert(all.end(), family.begin(), family.end());
  }
  return all;
}

}  // namespace astroclip::test
