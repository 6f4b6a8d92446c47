#include "tensor/tensor.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/error.h"
#include "tensor/index_bounds.h"

namespace astroclip {

namespace {

constexpr int bounds_tag = 1 << 16;  // beyond those of packed weights

template <class To, class From>
void convert(std::byte* out, std::span<const From> values) {
  To* target = reinterpret_cast<To*>(out);
  for (size_t i = 0; i < values.size(); ++i) {
    if constexpr (std::is_same_v<To, BFloat16>) {
      target[i] = BFloat16(static_cast<float>(values[i]));
    } else {
      target[i] = static_cast<To>(values[i]);
    }
  }
}

template <class From>
Tensor from_host_values(std::span<const From> values, const Shape& shape, DType dtype, Device device) {
  if (static_cast<int64_t>(values.size()) != shape.numel()) {
    throw Error(fmt::format("[tensor] shape {} needs {} values, found {}", shape.str(), shape.numel(), values.size()));
  }
  std::vector<std::byte> bytes(values.size() * static_cast<size_t>(size_of(dtype)));
  switch (dtype) {
    case DType::f32:
      convert<float>(bytes.data(), values);
      break;
    case DType::f64:
      convert<double>(bytes.data(), values);
      break;
    case DType::bf16:
      convert<BFloat16>(bytes.data(), values);
      break;
    case DType::i32:
      convert<int32_t>(bytes.data(), values);
      break;
    case DType::i64:
      convert<int64_t>(bytes.data(), values);
      break;
    case DType::u8:
      convert<uint8_t>(bytes.data(), values);
      break;
  }
  Tensor tensor = Tensor::empty(shape, dtype, device);
  memory_of(device).copy_from_host(tensor.mutable_data(), bytes.data(), tensor.bytes());
  return tensor;
}

template <class To, class From>
void widen(std::vector<To>& out, const std::byte* bytes) {
  const From* source = reinterpret_cast<const From*>(bytes);
  for (size_t i = 0; i < out.size(); ++i) {
    if constexpr (std::is_same_v<From, BFloat16>) {
      out[i] = static_cast<To>(static_cast<float>(source[i]));
    } else {
      out[i] = static_cast<To>(source[i]);
    }
  }
}

void expect_host(Device device) {
  if (is_host_memory(device)) return;
  throw Error(fmt::format("[tensor] the host cannot use the memory of {}; copy the tensor", device.str()));
}

template <class To>
std::vector<To> to_host_values(const Tensor& tensor) {
  std::vector<std::byte> bytes(static_cast<size_t>(tensor.bytes()));
  memory_of(tensor.device()).copy_to_host(bytes.data(), tensor.data(), tensor.bytes());
  std::vector<To> out(static_cast<size_t>(tensor.numel()));
  switch (tensor.dtype()) {
    case DType::f32:
      widen<To, float>(out, bytes.data());
      break;
    case DType::f64:
      widen<To, double>(out, bytes.data());
      break;
    case DType::bf16:
      widen<To, BFloat16>(out, bytes.data());
      break;
    case DType::i32:
      widen<To, int32_t>(out, bytes.data());
      break;
    case DType::i64:
      widen<To, int64_t>(out, bytes.data());
      break;
    case DType::u8:
      widen<To, uint8_t>(out, bytes.data());
      break;
  }
  return out;
}

}  // namespace

Storage::Storage(int64_t bytes, Device device)
    : data_(static_cast<std::byte*>(memory_of(device).allocate(bytes))), bytes_(bytes), device_(device) {}

Storage::Storage(std::shared_ptr<const Backing> backing, const std::byte* data, int64_t bytes, Device device)
    : data_(data), bytes_(bytes), device_(device), backing_(std::move(backing)) {}

Storage::~Storage() {
  if (backing_ == nullptr) memory_of(device_).release(const_cast<std::byte*>(data_), bytes_);
}

std::byte* Storage::mutable_data() {
  ++version_;
  if (backing_ != nullptr) {
    Memory& memory = memory_of(device_);
    auto* own = static_cast<std::byte*>(memory.allocate(bytes_));
    memory.copy(own, data_, bytes_);
    data_ = own;
    backing_.reset();
  }
  return const_cast<std::byte*>(data_);
}

void Storage::set_aside() const {
  if (backing_ != nullptr) backing_->set_aside(data_, bytes_);
}

Tensor Tensor::empty(const Shape& shape, DType dtype, Device device) {
  Tensor tensor;
  tensor.body_ = std::make_shared<Body>();
  tensor.body_->storage = std::make_shared<Storage>(shape.numel() * size_of(dtype), device);
  tensor.body_->shape = shape;
  tensor.body_->dtype = dtype;
  return tensor;
}

Tensor Tensor::zeros(const Shape& shape, DType dtype, Device device) {
  Tensor tensor = empty(shape, dtype, device);
  memory_of(device).set_zero(tensor.mutable_data(), tensor.bytes());
  return tensor;
}

Tensor Tensor::from_host(std::span<const float> values, const Shape& shape, DType dtype, Device device) {
  return from_host_values(values, shape, dtype, device);
}

Tensor Tensor::from_host(std::span<const double> values, const Shape& shape, DType dtype, Device device) {
  return from_host_values(values, shape, dtype, device);
}

Tensor Tensor::from_host(std::span<const int64_t> values, const Shape& shape, Device device) {
  Tensor tensor = from_host_values(values, shape, DType::i64, device);
  if (!is_host_memory(device) && !values.empty()) {
    const auto [least, greatest] = std::ranges::minmax(values);
    Storage& storage = *tensor.storage();
    storage.derived(0) = {std::make_shared<IndexBounds>(IndexBounds{least, greatest}), storage.version(), bounds_tag, shape};
  }
  return tensor;
}

std::optional<IndexBounds> known_bounds(const Tensor& index) {
  Storage& storage = *index.storage();
  const Storage::Derived& slot = storage.derived(0);
  if (slot.form == nullptr || slot.tag != bounds_tag || slot.version != storage.version()) return std::nullopt;
  return *std::static_pointer_cast<IndexBounds>(slot.form);
}

Tensor Tensor::backed(std::shared_ptr<const Backing> backing, const std::byte* data, const Shape& shape, DType dtype,
                      Device device) {
  expect_host(device);
  Tensor tensor;
  tensor.body_ = std::make_shared<Body>();
  tensor.body_->storage = std::make_shared<Storage>(std::move(backing), data, shape.numel() * size_of(dtype), device);
  tensor.body_->shape = shape;
  tensor.body_->dtype = dtype;
  return tensor;
}

const Tensor::Body& Tensor::body() const {
  if (!body_)
    throw Error(
        "[tensor] an undefined tensor was used: an optional one that is missing, or a parameter of a module that was "
        "not "
        "declared with child() or has not been materialized");
  return *body_;
}

const Shape& Tensor::shape() const { return body().shape; }
DType Tensor::dtype() const { return body().dtype; }
Device Tensor::device() const { return body().storage->device(); }
const void* Tensor::data() const { return body().storage->data() + body().offset; }

void* Tensor::mutable_data() { return body().storage->mutable_data() + body_->offset; }

const std::shared_ptr<Storage>& Tensor::storage() const { return body().storage; }

void Tensor::expect_dtype(DType wanted) const {
  expect_host(device());
  if (dtype() != wanted) {
    throw Error(fmt::format("[tensor] expected dtype {}, found {}", name_of(wanted), name_of(dtype())));
  }
}

std::vector<float> Tensor::to_floats() const { return to_host_values<float>(*this); }
std::vector<double> Tensor::to_doubles() const { return to_host_values<double>(*this); }

double Tensor::item() const {
  if (numel() != 1) throw Error(fmt::format("[tensor] item() needs one element, found shape {}", shape().str()));
  return to_doubles().front();
}

Tensor Tensor::view_as(const Shape& shape) const {
  if (shape.numel() != numel()) {
    throw Error(fmt::format("[tensor] cannot view {} as {}", this->shape().str(), shape.str()));
  }
  Tensor view = detach();
  view.body_->shape = shape;
  return view;
}

Tensor Tensor::view_rows(int64_t begin, int64_t end) const {
  const int64_t rows = size(0);
  if (begin < 0 || end < begin || end > rows) {
    throw Error(fmt::format("[tensor] rows {} to {} are outside {}", begin, end, shape().str()));
  }
  Tensor view = detach();
  view.body_->shape = shape().with(0, end - begin);
  if (rows > 0) view.body_->offset += bytes() / rows * begin;
  return view;
}

Tensor Tensor::detach() const {
  Tensor handle;
  handle.body_ = std::make_shared<Body>();
  handle.body_->storage = body().storage;
  handle.body_->offset = body_->offset;
  handle.body_->shape = body_->shape;
  handle.body_->dtype = body_->dtype;
  return handle;
}

Tensor Tensor::clone() const {
  Tensor copy = empty(shape(), dtype(), device());
  copy.copy_from(*this);
  return copy;
}

void Tensor::expect_like(const Tensor& source) const {
  if (shape() != source.shape() || dtype() != source.dtype()) {
    throw Error(fmt::format("[tensor] cannot copy {} {} into {} {}", name_of(source.dtype()), source.shape().str(),
                            name_of(dtype()), shape().str()));
  }
}

void Tensor::share(const Tensor& source) {
  expect_like(source);
  body_->storage = source.storage();
  body_->offset = source.body().offset;
}

void Tensor::copy_from(const Tensor& source) {
  expect_like(source);
  const bool from_host = is_host_memory(source.device()), to_host = is_host_memory(device());
  Memory& memory = memory_of(from_host ? device() : source.device());
  if (from_host == to_host) {
    memory.copy(mutable_data(), source.data(), bytes());
  } else if (from_host) {
    memory.copy_from_host(mutable_data(), source.data(), bytes());
  } else {
    memory.copy_to_host(mutable_data(), source.data(), bytes());
  }
}

void Tensor::set_requires_grad(bool wanted) {
  (void)body();
  body_->requires_grad = wanted;
}

const Tensor& Tensor::grad() const {
  static const Tensor none;
  return body().grad ? *body_->grad : none;
}

void Tensor::set_grad(Tensor gradient) {
  (void)body();
  body_->grad = gradient.defined() ? std::make_unique<Tensor>(std::move(gradient)) : nullptr;
}

const std::shared_ptr<autograd::Node>& Tensor::node() const { return body().node; }

void Tensor::set_node(std::shared_ptr<autograd::Node> node) {
  (void)body();
  body_->node = std::move(node);
}

bool Tensor::sole_owner() const { return body_.use_count() == 1 && body_->storage.use_count() == 1; }

}  // namespace astroclip
