#include "backend/communicator.h"

namespace astroclip {

namespace {

class SingleProcess final : public Communicator {
 public:
  int64_t rank() const override { return 0; }
  int64_t size() const override { return 1; }
  Tensor all_gather(const Tensor& rows) override { return rows; }
  void all_reduce(Tensor&) override {}
};

}  // namespace

Communicator& single_process() {
  static SingleProcess communicator;
  return communicator;
}

}  // namespace astroclip
