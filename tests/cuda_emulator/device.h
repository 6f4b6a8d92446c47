#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

/// The card: memory that only queued work may touch, and streams of work. Work is done as late as it may be: when the
/// host waits for it. It runs on a thread of its own, so that the host's thread-local variables are not a kernel's.
namespace astroclip::cuda::emulated {

inline constexpr size_t card_bytes = size_t{4} << 30;

/// A block of the card's memory, full of NaN; null when it has none left.
void* allocate_on_card(size_t bytes);
/// False if there is no such block.
bool free_on_card(void* block);
size_t used_on_card();
bool is_on_card(const void* address);

struct Stream;  ///< null is the legacy one, which the card has from the start
/// `blocking`: the legacy stream waits for it.
Stream* new_stream(bool blocking);
/// Into the graph of a stream that is captured.
void queue(Stream* stream, std::function<void()> work);
/// What is queued later waits for the work queued in `other` up to that number.
void queue_wait(Stream* stream, Stream* other, uint64_t number);
/// The number of works queued so far.
uint64_t queued(Stream* stream);
/// Does what was queued up to that number. Throws what the work throws, after which the stream is empty.
void finish(Stream* stream, uint64_t number);
void finish_all();

/// Work that was captured.
using Graph = std::vector<std::function<void()>>;
/// What is queued in the stream from now on becomes a graph. False if it does already.
bool begin_capture(Stream* stream);
/// Whether the calling thread began it.
bool is_capture_of_thread(Stream* stream);
/// None if the capture has been spoilt.
std::optional<Graph> end_capture(Stream* stream);
bool is_captured(Stream* stream);
/// Whether a stream is captured for which the legacy one waits.
bool legacy_stream_waits();
/// For what cannot be done while the stream is captured: whether it is. The capture then ends without a graph.
bool spoils_capture(Stream* stream);
/// The same of any stream that the calling thread captures, or any thread.
bool spoils_capture_of_thread();
bool spoils_any_capture();

}  // namespace astroclip::cuda::emulated
