#pragma once

#include <string>
#include <vector>

#include "report/figure.h"
#include "report/test_objects.h"

namespace astroclip::report {

/// The galleries of a run's objects.h5 (evaluate::write_objects): queries with what is nearest to them in every
/// direction, first as images, then as spectra. Gives HTML; "" of a run without galleries. Throws Error naming a
/// damaged file.
std::string galleries_html(const record::RunFolder& folder, const TestObjects& objects, FigureSheet& sheet);

}  // namespace astroclip::report
