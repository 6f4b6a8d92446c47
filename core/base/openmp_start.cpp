#include "base/openmp_start.h"

#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <string_view>
#include <system_error>

namespace astroclip {

namespace {

constexpr const char* variable = "GOMP_SPINCOUNT";
constexpr const char* short_count = "1000";

}  // namespace

void restart_with_short_openmp_spinning(char** arguments) {
  if (std::getenv("OMP_WAIT_POLICY") != nullptr || std::getenv(variable) != nullptr) return;
  setenv(variable, short_count, 1);
  std::error_code failure;
  const auto program = std::filesystem::read_symlink("/proc/self/exe", failure);  // under its name, for ps and top
  execv(program.c_str(), arguments);  // returns only on failure; the program then works, but slower
}

bool has_short_openmp_spinning() {
  const char* count = std::getenv(variable);
  return count != nullptr && std::string_view(count) == short_count;
}

}  // namespace astroclip
