#pragma once

namespace astroclip {

/// Call first in main, with its argument vector. At every barrier GCC's OpenMP spins for milliseconds and takes the
/// cores from loader threads and other processes: two runs on one machine take ten times as long. The short spinning
/// set here costs a run alone nothing. The OpenMP library reads its settings before main, so the program executes
/// itself again. A user's OMP_WAIT_POLICY or GOMP_SPINCOUNT is respected.
void restart_with_short_openmp_spinning(char** arguments);

/// Whether this process runs with the setting above, not with one of the user's.
bool has_short_openmp_spinning();

}  // namespace astroclip
