#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "tensor/dtype.h"
#include "tensor/memory.h"
#include "tensor/shape.h"

namespace astroclip {

namespace autograd {
class Node;
}

/// Read-only host memory owned by another object, such as a mapped file.
class Backing {
 public:
  virtual ~Backing() = default;
  /// Hints that the bytes are unlikely to be read again; they stay readable.
  virtual void set_aside(const std::byte* data, int64_t bytes) const = 0;
};

/// A block of device memory shared by tensors. Its version grows with every write, so that data derived from the
/// contents (a packed weight, a saved activation) can be recognised as stale.
class Storage {
 public:
  Storage(int64_t bytes, Device device);
  /// Refers to `bytes` bytes of the backing, which are copied on the first write.
  Storage(std::shared_ptr<const Backing> backing, const std::byte* data, int64_t bytes, Device device);
  ~Storage();
  Storage(const Storage&) = delete;
  Storage& operator=(const Storage&) = delete;

  const std::byte* data() const { return data_; }
  /// Bumps the version.
  std::byte* mutable_data();
  int64_t bytes() const { return bytes_; }
  Device device() const { return device_; }
  uint64_t version() const { return version_; }
  /// Hints that the contents are unlikely to be read again; mapped memory may be released.
  void set_aside() const;

  /// Backend-private forms of the contents (packed weights), each valid for one version.
  struct Derived {
    std::shared_ptr<void> form;
    uint64_t version = 0;
    int tag = 0;  ///< distinguishes forms of one use (a precision)
    Shape shape;  ///< as which the contents were taken
  };
  /// One slot for each use of a weight; see Backend::prepare.
  Derived& derived(int use) { return derived_[use]; }
  void drop_derived() { derived_ = {}; }

 private:
  const std::byte* data_;
  int64_t bytes_;
  Device device_;
  std::shared_ptr<const Backing> backing_;  ///< null if the storage owns its block
  uint64_t version_ = 1;
  std::array<Derived, 2> derived_;
};

/// A contiguous array on a device: a cheap handle, copied by reference. A tensor that an op has recorded is
/// immutable; only optimisers and loaders write, through `mutable_data`, which bumps the version.
class Tensor {
 public:
  Tensor() = default;
  /// Uninitialised contents.
  static Tensor empty(const Shape& shape, DType dtype, Device device);
  static Tensor zeros(const Shape& shape, DType dtype, Device device);
  /// Copies `values`, converting to `dtype` (float types; integers keep integer types).
  /// Throws Error if the count does not match the shape.
  static Tensor from_host(std::span<const float> values, const Shape& shape, DType dtype, Device device);
  static Tensor from_host(std::span<const double> values, const Shape& shape, DType dtype, Device device);
  static Tensor from_host(std::span<const int64_t> values, const Shape& shape, Device device);
  /// A tensor on the elements of a backing, without a copy. `device` must use host memory.
  static Tensor backed(std::shared_ptr<const Backing> backing, const std::byte* data, const Shape& shape, DType dtype,
                       Device device);

  bool defined() const { return body_ != nullptr; }
  explicit operator bool() const { return defined(); }
  const Shape& shape() const;
  int rank() const { return shape().rank(); }
  int64_t size(int axis) const { return shape()[axis]; }
  int64_t numel() const { return shape().numel(); }
  int64_t bytes() const { return numel() * size_of(dtype()); }
  DType dtype() const;
  Device device() const;

  const void* data() const;
  void* mutable_data();
  /// Throws Error if T is not the tensor's dtype.
  template <class T>
  const T* data_as() const {
    expect_dtype(dtype_of<T>);
    return static_cast<const T*>(data());
  }
  template <class T>
  T* mutable_data_as() {
    expect_dtype(dtype_of<T>);
    return static_cast<T*>(mutable_data());
  }
  const std::shared_ptr<Storage>& storage() const;

  /// The contents on the host, converted.
  std::vector<float> to_floats() const;
  std::vector<double> to_doubles() const;
  /// The one value of a tensor with one element.
  double item() const;

  /// The same elements under another shape, sharing storage; outside the tape (see ops::reshape).
  Tensor view_as(const Shape& shape) const;
  /// Rows [begin, end) of the first axis, sharing storage; outside the tape.
  Tensor view_rows(int64_t begin, int64_t end) const;
  /// A new handle on the same storage without gradient history.
  Tensor detach() const;
  /// A copy with storage of its own, outside the tape.
  Tensor clone() const;
  /// Overwrites the contents with those of `source`: same shape and dtype, any device. Throws Error.
  void copy_from(const Tensor& source);
  /// Replaces the storage by that of `source`, of the same shape and dtype, for every handle on this tensor.
  void share(const Tensor& source);

  // Gradient state; see autograd/tape.h.
  bool requires_grad() const { return body_ && body_->requires_grad; }
  void set_requires_grad(bool wanted);
  /// The accumulated gradient of a leaf; undefined if there is none.
  const Tensor& grad() const;
  void set_grad(Tensor gradient);
  const std::shared_ptr<autograd::Node>& node() const;
  void set_node(std::shared_ptr<autograd::Node> node);
  /// Identifies the tensor among live tensors.
  const void* id() const { return body_.get(); }
  /// Whether no other handle shares the body and no other tensor the storage, so that it may be overwritten.
  bool sole_owner() const;

 private:
  struct Body {
    std::shared_ptr<Storage> storage;
    int64_t offset = 0;  // bytes
    Shape shape;
    DType dtype = DType::f32;
    bool requires_grad = false;
    std::shared_ptr<autograd::Node> node;
    std::unique_ptr<Tensor> grad;
  };
  void expect_dtype(DType wanted) const;
  void expect_like(const Tensor& source) const;
  const Body& body() const;

  std::shared_ptr<Body> body_;
};

}  // namespace astroclip
