#pragma once

#include <string>

#include "record/run_folder.h"
#include "report/figure.h"
#include "report/test_objects.h"

namespace astroclip::report {

/// What encoders attend to in a few test objects, as a run's objects.h5 (evaluate::write_objects) has it: over images,
/// and along spectra. None of a run without. Throws Error naming a damaged file.
std::string attention_html(const record::RunFolder& folder, const TestObjects& objects, FigureSheet& sheet);

}  // namespace astroclip::report
