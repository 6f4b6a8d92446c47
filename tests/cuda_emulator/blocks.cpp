#include "blocks.h"

#include <fmt/format.h>
#include <link.h>
#include <sys/mman.h>

#include <cstring>
#include <vector>

#include "backend/cuda/launch.h"
#include "base/error.h"

namespace astroclip::cuda::emulated {

uint3 thread_index, block_index;
dim3 block_extents, grid_extents;

// Saves the registers that a call preserves and the stack pointer, and goes on where `to` was saved.
extern "C" void astroclip_switch_stack(void** from, void* to);
asm(R"(
.text
.local astroclip_switch_stack
.type astroclip_switch_stack, @function
astroclip_switch_stack:
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  ret
)");

namespace {

constexpr int warp_size = 32, most_threads = 1024, most_blocks = 2;
constexpr size_t page = 4096, stack_bytes = 64 << 10, shared_room = 228 << 10;

enum class State : uint8_t { ready, at_warp, at_block, asking, returned, abandoned };

struct Thread {
  State state = State::ready;
  char* stack = nullptr;  ///< from its first step on
  void* saved = nullptr;  ///< stack pointer while it waits
  uint3 index = {};
  unsigned rank = 0;  ///< of its block in the cluster
  unsigned mask = 0;
  std::source_location place;
  uint64_t offered = 0, given = 0;  ///< to its warp: while it waits, and then
  unsigned partners = 0;            ///< lanes that waited together
};

/// The block that runs, or the cluster.
struct Block {
  const Kernel* kernel = nullptr;
  Thread threads[most_threads];
  unsigned live[most_threads / warp_size];  ///< the lanes of each warp that have not returned
  int count = 0, running = -1;
  uint64_t events = 0, events_seen = 0;  ///< what those may have asked for that ask again and again
  uint3 first = {};                      ///< index of the cluster's first block
  std::string problem;                   ///< of an abandoned thread
  void* scheduler = nullptr;             ///< its stack pointer while a thread runs
  std::vector<char*> free_stacks;
  char* shared[most_blocks] = {};  ///< the ends of dynamic shared memory, before a page that cannot be touched
};

Block& current = *new Block();

/// Memory between two pages that cannot be touched.
char* guarded(size_t bytes) {
  void* pages = mmap(nullptr, bytes + 2 * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (pages == MAP_FAILED || mprotect(static_cast<char*>(pages) + page, bytes, PROT_READ | PROT_WRITE) != 0) {
    throw Error("[cuda emulator] the host has no memory for the stacks of threads");
  }
  return static_cast<char*>(pages) + page;
}

/// The variables `__shared__` of all kernels: this library's thread-local storage on this thread.
std::pair<char*, size_t> static_shared() {
  static thread_local volatile char any = 0;
  any = any + 1;  // the first access allocates them all
  std::pair<char*, size_t> found{nullptr, 0};
  dl_iterate_phdr(
      [](dl_phdr_info* library, size_t, void* result) {
        const auto self = reinterpret_cast<uintptr_t>(&static_shared);
        bool here = false;
        const ElfW(Phdr)* variables = nullptr;
        for (int i = 0; i < library->dlpi_phnum; ++i) {
          const ElfW(Phdr)& header = library->dlpi_phdr[i];
          const uintptr_t begin = library->dlpi_addr + header.p_vaddr;
          here |= header.p_type == PT_LOAD && self >= begin && self < begin + header.p_memsz;
          if (header.p_type == PT_TLS) variables = &header;
        }
        if (!here) return 0;
        if (variables != nullptr) {
          *static_cast<std::pair<char*, size_t>*>(result) = {static_cast<char*>(library->dlpi_tls_data),
                                                             variables->p_memsz};
        }
        return 1;
      },
      &found);
  return found;
}

std::string str(const uint3& index) { return fmt::format("({}, {}, {})", index.x, index.y, index.z); }

std::string str(const Thread& thread) {
  const std::string_view path = thread.place.file_name();
  return fmt::format("thread {} at {}:{}", str(thread.index), path.substr(path.rfind('/') + 1), thread.place.line());
}

/// Where each thread's stack begins.
void run_thread() {
  current.kernel->thread();
  current.threads[current.running].state = State::returned;
  void* unused = nullptr;
  astroclip_switch_stack(&unused, current.scheduler);
}

void prepare_stack(Thread& thread) {
  if (current.free_stacks.empty()) current.free_stacks.push_back(guarded(stack_bytes));
  thread.stack = current.free_stacks.back();
  current.free_stacks.pop_back();
  // Six registers, the address to go to, and none to return to: its stack is aligned as at a call.
  auto* top = reinterpret_cast<void**>(thread.stack + stack_bytes) - 2;
  top[0] = reinterpret_cast<void*>(&run_thread);
  top[1] = nullptr;
  thread.saved = top - 6;
  std::memset(thread.saved, 0, 6 * sizeof(void*));
}

[[noreturn]] void fail(const std::string& problem) {
  throw Error(fmt::format("[cuda emulator] kernel {}, block {}: {}", current.kernel->name, str(block_index), problem));
}

/// Runs a thread until it waits or returns.
void resume(int i) {
  Thread& thread = current.threads[i];
  if (thread.stack == nullptr) prepare_stack(thread);
  current.running = i;
  thread_index = thread.index;
  block_index = {current.first.x + thread.rank, current.first.y, current.first.z};
  astroclip_switch_stack(&current.scheduler, thread.saved);
  current.running = -1;
  if (thread.state == State::abandoned) fail(fmt::format("thread {} {}", str(thread.index), current.problem));
  if (thread.state != State::returned) return;
  ++current.events;
  current.live[i / warp_size] &= ~(1u << i % warp_size);
  current.free_stacks.push_back(thread.stack);
}

void wait(State state, unsigned mask, const std::source_location& place) {
  Thread& thread = current.threads[current.running];
  thread.state = state;
  thread.mask = mask;
  thread.place = place;
  astroclip_switch_stack(&thread.saved, current.scheduler);
}

bool same_place(const std::source_location& one, const std::source_location& other) {
  return one.line() == other.line() && one.column() == other.column() &&
         (one.file_name() == other.file_name() || std::strcmp(one.file_name(), other.file_name()) == 0);
}

/// Lets the threads of a warp go on whose partners are all there. Returns whether there are any.
bool release_warp(int w) {
  const unsigned live = current.live[w];
  Thread* threads = current.threads + w * warp_size;
  unsigned done = 0;
  for (int lane = 0; lane < warp_size; ++lane) {
    const Thread& thread = threads[lane];
    if ((live >> lane & 1) == 0 || (done >> lane & 1) != 0 || thread.state != State::at_warp) continue;
    const unsigned partners = thread.mask & live;
    if ((partners >> lane & 1) == 0) fail(fmt::format("the mask {:#x} lacks {}", thread.mask, str(thread)));
    bool complete = true;
    for (unsigned rest = partners; rest != 0 && complete; rest &= rest - 1) {
      const Thread& partner = threads[std::countr_zero(rest)];
      complete = partner.state == State::at_warp && partner.mask == thread.mask;
      if (complete && !same_place(partner.place, thread.place)) {
        fail(fmt::format("{} and {} would exchange values", str(thread), str(partner)));
      }
    }
    if (!complete) continue;
    done |= partners;
    for (unsigned rest = partners; rest != 0; rest &= rest - 1) {
      Thread& partner = threads[std::countr_zero(rest)];
      partner.state = State::ready;
      partner.partners = partners;
      partner.given = partner.offered;
    }
  }
  return done != 0;
}

/// Until each of its threads waits for the block, returned, or waits for others of the warp in vain.
void run_warp(int w, bool ascending) {
  const int first = w * warp_size, last = std::min(first + warp_size, current.count);
  do {
    for (int i = 0; i < last - first; ++i) {
      const int at = ascending ? first + i : last - 1 - i;
      if (current.threads[at].state == State::ready) resume(at);
    }
  } while (release_warp(w));
}

/// Lets the threads go on that ask for something if anything has happened, or that wait for the block if all do.
/// Returns whether there are any.
bool release_block() {
  const Thread* waiting = nullptr;
  bool asked = false;
  for (int i = 0; i < current.count; ++i) {
    Thread& thread = current.threads[i];
    if (thread.state != State::asking) continue;
    if (current.events == current.events_seen) fail(fmt::format("{} waits for what does not come", str(thread)));
    thread.state = State::ready;
    asked = true;
  }
  current.events_seen = current.events;
  if (asked) return true;
  for (int i = 0; i < current.count; ++i) {
    const Thread& thread = current.threads[i];
    if (thread.state == State::returned) continue;
    if (waiting == nullptr) waiting = &thread;
    if (thread.state != waiting->state || !same_place(thread.place, waiting->place)) {
      fail(fmt::format("{} and {} wait for each other", str(*waiting), str(thread)));
    }
  }
  if (waiting == nullptr) return false;
  if (waiting->state == State::at_warp) fail(fmt::format("{} waits for threads that do not come", str(*waiting)));
  for (int i = 0; i < current.count; ++i) {
    if (current.threads[i].state == State::returned) continue;
    current.threads[i].state = State::ready;
  }
  return true;
}

void run_block(bool ascending) {
  const dim3& extents = current.kernel->block;
  const unsigned threads = extents.x * extents.y * extents.z;
  current.count = static_cast<int>(threads * current.kernel->cluster);
  for (int i = 0; i < current.count; ++i) {
    const auto at = static_cast<unsigned>(i) % threads;
    current.threads[i] = {};
    current.threads[i].rank = static_cast<unsigned>(i) / threads;
    current.threads[i].index = {at % extents.x, at / extents.x % extents.y, at / extents.x / extents.y};
  }
  const int warps = (current.count + warp_size - 1) / warp_size;
  for (int w = 0; w < warps; ++w) {
    const int lanes = std::min(warp_size, current.count - w * warp_size);
    current.live[w] = lanes == warp_size ? ~0u : (1u << lanes) - 1;
  }
  // The order changes at each barrier, so that one that is missing shows whichever way it would be crossed.
  do {
    for (int w = 0; w < warps; ++w) run_warp(ascending ? w : warps - 1 - w, ascending);
    ascending = !ascending;
  } while (release_block());
}

}  // namespace

void run_blocks(const Kernel& kernel) {
  for (char*& end : current.shared) {
    if (end == nullptr) end = guarded(shared_room) + shared_room;
  }
  current.kernel = &kernel;
  current.running = -1;
  block_extents = kernel.block;
  grid_extents = kernel.grid;
  const auto [variables, bytes] = static_shared();
  const int64_t blocks = int64_t{kernel.grid.x} * kernel.grid.y * kernel.grid.z;
  try {
    for (int64_t i = blocks - kernel.cluster; i >= 0; i -= kernel.cluster) {
      current.first = block_index = {static_cast<unsigned>(i % kernel.grid.x),
                                     static_cast<unsigned>(i / kernel.grid.x % kernel.grid.y),
                                     static_cast<unsigned>(i / kernel.grid.x / kernel.grid.y)};
      if (bytes > 0) std::memset(variables, 0xFF, bytes);
      for (unsigned rank = 0; rank < kernel.cluster; ++rank) std::memset(shared_of(rank), 0xFF, kernel.shared);
      run_block(i / kernel.cluster % 2 == 0);
    }
  } catch (...) {
    for (int i = 0; i < current.count; ++i) {
      if (current.threads[i].stack != nullptr && current.threads[i].state != State::returned) {
        current.free_stacks.push_back(current.threads[i].stack);
      }
    }
    current.kernel = nullptr;
    throw;
  }
  current.kernel = nullptr;
}

bool inside_thread() { return current.running >= 0; }

void set_problem(const std::string& problem) { current.problem = problem; }

void abandon_thread() {
  current.threads[current.running].state = State::abandoned;
  void* unused = nullptr;
  astroclip_switch_stack(&unused, current.scheduler);
}

void wait_for_block(std::source_location place) { wait(State::at_block, 0, place); }

void wait_for_warp(unsigned mask, std::source_location place) { wait(State::at_warp, mask, place); }

uint64_t exchange(unsigned mask, uint64_t value, int from, std::source_location place) {
  Thread& thread = current.threads[current.running];
  thread.offered = value;
  wait(State::at_warp, mask, place);
  if ((thread.partners >> from & 1) == 0) return ~uint64_t{0};
  return current.threads[current.running / warp_size * warp_size + from].given;
}

unsigned vote_of_warp(unsigned mask, bool yes, std::source_location place) {
  Thread& thread = current.threads[current.running];
  thread.offered = yes;
  wait(State::at_warp, mask, place);
  unsigned votes = 0;
  for (int lane = 0; lane < warp_size; ++lane) {
    if ((thread.partners >> lane & 1) == 0) continue;
    votes |= static_cast<unsigned>(current.threads[current.running / warp_size * warp_size + lane].given) << lane;
  }
  return votes;
}

int lane() { return current.running % warp_size; }

unsigned rank_in_cluster() { return current.running < 0 ? 0 : current.threads[current.running].rank; }

void* shared_bytes() { return shared_of(rank_in_cluster()); }

char* shared_of(unsigned rank) {
  constexpr size_t alignment = 1024;
  return current.shared[rank] - (current.kernel->shared + alignment - 1) / alignment * alignment;
}

void happened() { ++current.events; }

void ask_again(std::source_location place) { wait(State::asking, 0, place); }

}  // namespace astroclip::cuda::emulated
