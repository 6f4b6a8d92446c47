#include "backend/call.h"

#include <cmath>
#include <cstring>
#include <limits>

#include "base/rng.h"

namespace astroclip::test {

namespace {

constexpr size_t guard_bytes = 256;
constexpr std::byte guard{0xA5};

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

std::byte* Call::Buffer::data() { return storage.data() + guard_bytes; }
const std::byte* Call::Buffer::data() const { return storage.data() + guard_bytes; }

Call::Buffer& Call::add(const std::string& name, const Shape& shape, DType type) {
  const auto bytes = static_cast<size_t>(shape.numel() * size_of(type));
  outputs_.push_back({name, shape, type, std::vector<std::byte>(bytes + 2 * guard_bytes, guard)});
  return outputs_.back();
}

std::vector<double> Call::draw(int64_t count, double low, double high) {
  Rng rng(20, RngStream::tests, drawn_++);
  std::vector<double> numbers(static_cast<size_t>(count));
  for (double& number : numbers) number = static_cast<float>(rng.uniform(low, high));
  return numbers;
}

ConstView Call::random(const Shape& shape, double low, double high) {
  return values(draw(shape.numel(), low, high), shape);
}

ConstView Call::random(const Shape& shape, DType type) { return values(draw(shape.numel(), -2.0, 2.0), shape, type); }

ConstView Call::values(const std::vector<double>& numbers, const Shape& shape, DType type) {
  inputs_.push_back({"", shape, type, std::vector<std::byte>(numbers.size() * 8 + 2 * guard_bytes, guard)});
  std::byte* data = inputs_.back().data();
  for (size_t i = 0; i < numbers.size(); ++i) store(data, type, static_cast<int64_t>(i), numbers[i]);
  return {data, shape, type};
}

ConstView Call::indices(const std::vector<int64_t>& numbers) {
  const Shape shape{static_cast<int64_t>(numbers.size())};
  inputs_.push_back({"", shape, DType::i64, std::vector<std::byte>(numbers.size() * 8 + 2 * guard_bytes, guard)});
  std::memcpy(inputs_.back().data(), numbers.data(), numbers.size() * 8);
  return {inputs_.back().data(), shape, DType::i64};
}

View Call::output(const std::string& name, const Shape& shape, DType type) {
  Buffer& buffer = add(name, shape, type);
  for (int64_t i = 0; i < shape.numel(); ++i) store(buffer.data(), type, i, std::numeric_limits<double>::quiet_NaN());
  return {buffer.data(), shape, type};
}

View Call::in_place(const std::string& name, const Shape& shape, double low, double high) {
  Buffer& buffer = add(name, shape, dtype());
  const std::vector<double> numbers = draw(shape.numel(), low, high);
  for (size_t i = 0; i < numbers.size(); ++i) store(buffer.data(), dtype(), static_cast<int64_t>(i), numbers[i]);
  return {buffer.data(), shape, dtype()};
}

std::vector<Call::Output> Call::outputs() const {
  std::vector<Output> all;
  for (const Buffer& buffer : outputs_) {
    Output output{buffer.name, {}, true};
    for (int64_t i = 0; i < buffer.shape.numel(); ++i) output.values.push_back(load(buffer.data(), buffer.dtype, i));
    for (size_t i = 0; i < guard_bytes; ++i) {
      output.guards_intact &= buffer.storage[i] == guard;
      output.guards_intact &= buffer.storage[buffer.storage.size() - 1 - i] == guard;
    }
    all.push_back(std::move(output));
  }
  return all;
}

std::vector<std::byte> Call::bytes() const {
  std::vector<std::byte> all;
  for (const Buffer& buffer : outputs_) all.insert(all.end(), buffer.storage.begin(), buffer.storage.end());
  return all;
}

std::vector<Case> all_cases() {
  std::vector<Case> all;
  for (const auto& family : {elementwise_cases(), layout_cases(), product_cases(), attention_cases(), row_cases(),
                             window_cases(), optimiser_cases()}) {
    all.insert(all.end(), family.begin(), family.end());
  }
  return all;
}

}  // namespace astroclip::test
