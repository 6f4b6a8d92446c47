#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>

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

struct Stream;  ///< null is the one that the card has from the start
Stream* new_stream();
void queue(Stream* stream, std::function<void()> work);
/// What is queued later waits for the work queued in `other` up to that number.
void queue_wait(Stream* stream, Stream* other, uint64_t number);
/// The number of works queued so far.
uint64_t queued(Stream* stream);
/// Does what was queued up to that number. Throws what the work throws, after which the stream is empty.
void finish(Stream* stream, uint64_t number);
void finish_all();

}  // namespace astroclip::cuda::emulated
