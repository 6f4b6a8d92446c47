#include "device.h"

#include <dlfcn.h>
#include <execinfo.h>
#include <fmt/format.h>
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <exception>
#include <map>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "base/error.h"
#include "blocks.h"

namespace astroclip::cuda::emulated {

namespace {

constexpr size_t page = 4096, alignment = 256, address_space = size_t{64} << 30;

struct Memory {
  std::mutex mutex;
  char* begin = nullptr;
  size_t taken = 0;                   ///< of the address space
  size_t used = 0;                    ///< bytes of blocks
  std::map<char*, size_t> blocks;     ///< bytes by begin; each ends at a page that is never opened
  std::multimap<size_t, char*> free;  ///< pages by their number of bytes
  std::map<char*, size_t> open;       ///< pages that the running work touched
};

Memory& memory() {
  static auto* all = new Memory();
  return *all;
}

char* first_page(char* block) { return block - reinterpret_cast<uintptr_t>(block) % page; }
size_t pages_of(size_t bytes) { return (bytes + page - 1) / page * page; }

struct Work {
  std::function<void()> task;
  Stream* other = nullptr;  ///< to wait for instead
  uint64_t number = 0;
};

}  // namespace

struct Capture {
  std::thread::id thread;
  Graph graph;
  bool is_spoilt = false;
};

struct Stream {
  bool blocking = true;
  std::deque<Work> works;
  uint64_t done = 0;
  std::optional<Capture> capture = {};
};

namespace {

/// The thread that does the work.
class Worker {
 public:
  Worker() {
    struct sigaction action = {};
    action.sa_sigaction = &Worker::on_fault;
    action.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER;
    sigaction(SIGSEGV, &action, &former_);
    thread_ = std::thread([this] { run(); });
    thread_.detach();
  }

  /// Does the work there, up to the first that throws; returns what it threw.
  std::exception_ptr run(const std::vector<Work>& works) {
    std::unique_lock lock(mutex_);
    works_ = &works;
    changed_.notify_all();
    changed_.wait(lock, [&] { return works_ == nullptr; });
    return error_;
  }

  bool here() const { return std::this_thread::get_id() == thread_id_; }

 private:
  void run() {
    static char signal_stack[64 << 10];
    stack_t stack = {};
    stack.ss_sp = signal_stack;
    stack.ss_size = sizeof signal_stack;
    sigaltstack(&stack, nullptr);
    std::unique_lock lock(mutex_);
    thread_id_ = std::this_thread::get_id();
    while (true) {
      changed_.wait(lock, [&] { return works_ != nullptr; });
      error_ = nullptr;
      try {
        for (const Work& work : *works_) work.task();
      } catch (...) {
        error_ = std::current_exception();
      }
      Memory& m = memory();
      {
        const std::lock_guard memory_lock(m.mutex);
        for (const auto& [begin, bytes] : m.open) mprotect(begin, bytes, PROT_NONE);
        m.open.clear();
      }
      works_ = nullptr;
      changed_.notify_all();
    }
  }

  static void on_fault(int signal, siginfo_t* info, void* context);

  std::mutex mutex_;
  std::condition_variable changed_;
  const std::vector<Work>* works_ = nullptr;
  std::exception_ptr error_;
  std::thread thread_;
  std::thread::id thread_id_;
  static struct sigaction former_;
};

struct sigaction Worker::former_;

Worker& worker() {
  static auto* one = new Worker();
  return *one;
}

void say(const std::string& text) { (void)!write(STDERR_FILENO, text.data(), text.size()); }

/// Opens the block for work that touches it. Everything else is a mistake: a kernel's is an Error, another one is named
/// before the program dies.
void Worker::on_fault(int signal, siginfo_t* info, void* context) {
  auto* address = static_cast<char*>(info->si_addr);
  if (!is_on_card(address)) {
    sigaction(signal, &former_, nullptr);
    return;
  }
  std::string problem = "touches memory of the card that is not allocated";
  const bool host = !worker().here();
  if (!host) {
    Memory& m = memory();
    const std::lock_guard lock(m.mutex);
    if (auto after = m.blocks.upper_bound(address); after != m.blocks.begin()) {
      const auto [begin, bytes] = *std::prev(after);
      if (address < begin + bytes) {
        char* from = first_page(begin);
        const auto length = static_cast<size_t>(begin + bytes - from);
        mprotect(from, length, PROT_READ | PROT_WRITE);
        m.open.emplace(from, length);
        return;
      }
      problem += fmt::format(", {} bytes behind the end of a block of {}",
                             address - begin - static_cast<int64_t>(bytes), bytes);
    }
    if (inside_thread()) {
      auto* registers = static_cast<ucontext_t*>(context)->uc_mcontext.gregs;
      Dl_info library;
      (void)dladdr(reinterpret_cast<void*>(registers[REG_RIP]), &library);
      set_problem(
          fmt::format("{} (instruction {:#x})", problem,
                      static_cast<uint64_t>(registers[REG_RIP]) - reinterpret_cast<uint64_t>(library.dli_fbase)));
      // As if it called the function there.
      constexpr greg_t red_zone = 128;
      registers[REG_RSP] = (registers[REG_RSP] - red_zone) / 16 * 16 - 8;
      registers[REG_RIP] = reinterpret_cast<greg_t>(&abandon_thread);
      return;
    }
  }
  say(fmt::format("\n[cuda emulator] {} {}\n", host ? "the host" : "a copy",
                  host ? "touches memory of the card" : problem));
  void* frames[40];
  backtrace_symbols_fd(frames, backtrace(frames, 40), STDERR_FILENO);
  sigaction(signal, &former_, nullptr);
}

struct Device {
  std::recursive_mutex mutex;
  std::vector<Stream*> streams{new Stream()};
};

Device& device() {
  static auto* one = new Device();
  return *one;
}

}  // namespace

void* allocate_on_card(size_t bytes) {
  (void)worker();
  bytes = (std::max<size_t>(bytes, 1) + alignment - 1) / alignment * alignment;
  const size_t pages = pages_of(bytes);
  Memory& m = memory();
  const std::lock_guard lock(m.mutex);
  if (m.begin == nullptr) {
    void* space = mmap(nullptr, address_space, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (space == MAP_FAILED) return nullptr;
    m.begin = static_cast<char*>(space);
  }
  if (m.used + bytes > card_bytes) return nullptr;
  char* from = nullptr;
  if (const auto found = m.free.find(pages); found != m.free.end()) {
    from = found->second;
    m.free.erase(found);
  } else {
    if (m.taken + pages + 2 * page > address_space) return nullptr;
    from = m.begin + m.taken + page;
    m.taken += pages + page;
  }
  mprotect(from, pages, PROT_READ | PROT_WRITE);
  std::memset(from, 0xFF, pages);
  mprotect(from, pages, PROT_NONE);
  char* block = from + pages - bytes;
  m.blocks[block] = bytes;
  m.used += bytes;
  return block;
}

bool free_on_card(void* block) {
  Memory& m = memory();
  const std::lock_guard lock(m.mutex);
  const auto found = m.blocks.find(static_cast<char*>(block));
  if (found == m.blocks.end()) return false;
  char* from = first_page(found->first);
  const size_t pages = pages_of(found->second);
  madvise(from, pages, MADV_DONTNEED);
  m.free.emplace(pages, from);
  m.used -= found->second;
  m.blocks.erase(found);
  return true;
}

size_t used_on_card() {
  Memory& m = memory();
  const std::lock_guard lock(m.mutex);
  return m.used;
}

bool is_on_card(const void* address) {
  const Memory& m = memory();
  return m.begin != nullptr && address >= m.begin && address < m.begin + address_space;
}

Stream* new_stream(bool blocking) {
  Device& d = device();
  const std::lock_guard lock(d.mutex);
  d.streams.push_back(new Stream{.blocking = blocking, .works = {}});
  return d.streams.back();
}

void queue(Stream* stream, std::function<void()> work) {
  Device& d = device();
  const std::lock_guard lock(d.mutex);
  if (stream == nullptr) stream = d.streams.front();
  if (stream->capture) return stream->capture->graph.push_back(std::move(work));
  stream->works.push_back({.task = std::move(work)});
}

void queue_wait(Stream* stream, Stream* other, uint64_t number) {
  Device& d = device();
  const std::lock_guard lock(d.mutex);
  if (stream == nullptr) stream = d.streams.front();
  stream->works.push_back({.task = {}, .other = other, .number = number});
}

uint64_t queued(Stream* stream) {
  Device& d = device();
  const std::lock_guard lock(d.mutex);
  if (stream == nullptr) stream = d.streams.front();
  return stream->done + stream->works.size();
}

void finish(Stream* stream, uint64_t number) {
  Device& d = device();
  const std::lock_guard lock(d.mutex);
  if (stream == nullptr) stream = d.streams.front();
  while (stream->done < number) {
    std::vector<Work> works;
    do {
      works.push_back(std::move(stream->works.front()));
      stream->works.pop_front();
      ++stream->done;
    } while (stream->done < number && works.back().task && stream->works.front().task);
    if (!works.back().task) {
      finish(works.back().other, works.back().number);
    } else if (const std::exception_ptr error = worker().run(works)) {
      stream->done += stream->works.size();
      stream->works.clear();
      std::rethrow_exception(error);
    }
  }
}

bool begin_capture(Stream* stream) {
  const std::lock_guard lock(device().mutex);
  if (stream->capture) return false;
  stream->capture = {.thread = std::this_thread::get_id(), .graph = {}};
  return true;
}

bool is_capture_of_thread(Stream* stream) {
  const std::lock_guard lock(device().mutex);
  return stream->capture && stream->capture->thread == std::this_thread::get_id();
}

std::optional<Graph> end_capture(Stream* stream) {
  const std::lock_guard lock(device().mutex);
  const std::optional<Capture> ended = std::exchange(stream->capture, std::nullopt);
  return ended->is_spoilt ? std::nullopt : std::optional(ended->graph);
}

bool is_captured(Stream* stream) {
  const std::lock_guard lock(device().mutex);
  return stream != nullptr && stream->capture;
}

bool legacy_stream_waits() {
  const std::lock_guard lock(device().mutex);
  return std::ranges::any_of(device().streams, [](const Stream* one) { return one->blocking && one->capture; });
}

namespace {

/// Spoils the captures of those streams; whether there is one.
bool spoils(const std::function<bool(const Stream*)>& concerns) {
  const std::lock_guard lock(device().mutex);
  bool any = false;
  for (Stream* one : device().streams) {
    if (!one->capture || !concerns(one)) continue;
    one->capture->is_spoilt = any = true;
  }
  return any;
}

}  // namespace

bool spoils_capture(Stream* stream) {
  return spoils([=](const Stream* one) { return one == stream; });
}

bool spoils_capture_of_thread() {
  return spoils([](const Stream* one) { return one->capture->thread == std::this_thread::get_id(); });
}

bool spoils_any_capture() {
  return spoils([](const Stream*) { return true; });
}

void finish_all() {
  Device& d = device();
  const std::lock_guard lock(d.mutex);
  for (size_t i = 0; i < d.streams.size(); ++i) finish(d.streams[i], queued(d.streams[i]));
}

}  // namespace astroclip::cuda::emulated
