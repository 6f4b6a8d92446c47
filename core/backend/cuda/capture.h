#pragma once

#include <functional>
#include <memory>
#include <string_view>

#include "backend/backend.h"

namespace astroclip::cuda {

/// Throws Error while the calling thread's work is captured: `what` would be done at another time than its replay, or
/// read the host's memory when it has other contents.
void refuse_in_capture(std::string_view what);
/// Of a weight's form that is made while the calling thread's work is captured. There is no replay if it outlives the
/// capture, because each run would write it again, to memory that may be another's then; `make`, which queues its
/// making, is called instead.
void expect_to_end_in_capture(const std::shared_ptr<Prepared>& form, std::function<void()> make);

}  // namespace astroclip::cuda
