#pragma once

#include <cuda.h>

#include <algorithm>

#include "backend/cuda/tensor_core.h"

/// In place of core/backend/cuda/warpgroup.h. Copies and products are done when they begin.
namespace astroclip::cuda {

constexpr int warpgroup = 128;

inline unsigned rank_in_cluster() { return emulated::rank_in_cluster(); }
inline void meet_cluster(EmulatedPlace place = EmulatedPlace::current()) { emulated::wait_for_block(place); }
template <int count>
void keep_registers() {}
template <int count>
void take_registers() {}

namespace emulated {

/// What a barrier in shared memory is.
struct Barrier {
  uint16_t count, missing;  ///< arrivals
  int32_t bytes : 31;       ///< expected
  uint32_t phase : 1;

  void come(uint16_t arrivals, int32_t bytes_more) {
    missing = static_cast<uint16_t>(missing - arrivals);
    bytes += bytes_more;
    if (missing != 0 || bytes != 0) return;
    missing = count;
    phase ^= 1;
    happened();
  }
};
static_assert(sizeof(Barrier) == sizeof(uint64_t));
inline Barrier& barrier_at(SharedAddress address) { return *reinterpret_cast<Barrier*>(address); }

/// What the emulated driver writes to a CUtensorMap.
struct Tiles {
  char* data;
  int64_t rows, pitch;  ///< pitch in bytes
  int tile_rows;
};

/// Address bits 4 to 6 as they lie in shared memory.
inline SharedAddress swizzled_address(SharedAddress a) { return a ^ (a >> 7 & 7) << 4; }

inline const Tiles& tiles_of(const CUtensorMap& map) { return reinterpret_cast<const Tiles&>(map); }

/// Calls body(bytes in global memory or null, 16-byte chunk in shared memory) for the tile.
template <class Body>
void for_chunks(const CUtensorMap& map, int row, int column, SharedAddress tile, Body body) {
  const Tiles& t = tiles_of(map);
  for (int r = 0; r < t.tile_rows; ++r) {
    for (int byte = 0; byte < 128; byte += 16) {
      const int64_t at = int64_t{column} * 2 + byte;
      const bool inside = row + r < t.rows && at < t.pitch;  // rows are multiples of 16 bytes
      body(inside ? t.data + (row + r) * t.pitch + at : nullptr,
           reinterpret_cast<void*>(swizzled_address(tile + static_cast<SharedAddress>(r * 128 + byte))));
    }
  }
}

}  // namespace emulated

inline void make_barrier(SharedAddress barrier, unsigned count) {
  const auto all = static_cast<uint16_t>(count);
  emulated::barrier_at(barrier) = {all, all, 0, 0};
}
inline void show_barriers() {}
inline void arrive(SharedAddress barrier) { emulated::barrier_at(barrier).come(1, 0); }
inline void arrive_expecting(SharedAddress barrier, unsigned bytes) {
  emulated::barrier_at(barrier).come(1, static_cast<int32_t>(bytes));
}
inline SharedAddress address_in(unsigned rank, SharedAddress mine) {
  return mine - shared_address(emulated::shared_bytes()) + shared_address(emulated::shared_of(rank));
}
inline void arrive_at(SharedAddress barrier) { arrive(barrier); }
inline void wait_for_phase(SharedAddress barrier, unsigned parity, EmulatedPlace place = EmulatedPlace::current()) {
  while (emulated::barrier_at(barrier).phase == parity) emulated::ask_again(place);
}
template <int id>
void meet_warpgroup(EmulatedPlace place = EmulatedPlace::current()) {
  struct Meeting {
    int there = 0;
    uint64_t number = 0;
  };
  static Meeting of_block[2];  // thread-local variables are shared memory here
  Meeting& meeting = of_block[rank_in_cluster()];
  const uint64_t number = meeting.number;
  if (++meeting.there == warpgroup) {
    meeting = {0, number + 1};
    emulated::happened();
  }
  while (meeting.number == number) emulated::ask_again(place);
}

using TileMap = CUtensorMap;

inline void load_tile(const TileMap& map, int row, int column, SharedAddress to, SharedAddress barrier) {
  int32_t bytes = 0;
  emulated::for_chunks(map, row, column, to, [&](const void* from, void* chunk) {
    from == nullptr ? std::memset(chunk, 0, 16) : std::memcpy(chunk, from, 16);
    bytes += 16;
  });
  emulated::barrier_at(barrier).come(0, -bytes);
}
inline void load_tile_for_both(const TileMap& map, int row, int column, SharedAddress to, SharedAddress barrier) {
  for (unsigned rank = 0; rank < 2; ++rank) {
    load_tile(map, row, column, address_in(rank, to), address_in(rank, barrier));
  }
}
inline void show_to_copies() {}
inline void store_tile(const TileMap& map, int row, int column, SharedAddress from) {
  emulated::for_chunks(map, row, column, from, [](void* to, const void* chunk) {
    if (to != nullptr) std::memcpy(to, chunk, 16);
  });
}
template <int rest>
void wait_for_stores() {}

inline void store_matrices(SharedAddress row, const uint32_t (&r)[4]) {
  const int lane = emulated::lane();
  for (int m = 0; m < 4; ++m) {
    const SharedAddress to = __shfl_sync(emulated::whole_warp, row, 8 * m + lane / 4);
    *reinterpret_cast<uint32_t*>(to + static_cast<SharedAddress>(lane % 4 * 4)) = r[m];
  }
}

using TileRows = SharedAddress;
inline TileRows tile_rows(SharedAddress at) { return at; }
inline TileRows shifted(TileRows rows, int bytes) { return rows + static_cast<TileRows>(bytes); }

namespace emulated {

/// 16 elements of row `row`.
inline void read_row(TileRows rows, int row, float (&values)[16]) {
  for (int i = 0; i < 16; i += 2) {
    const auto pair = at<uint32_t>(swizzled_address(rows + static_cast<TileRows>(row * 128 + i * 2)));
    values[i] = low(pair);
    values[i + 1] = high(pair);
  }
}

}  // namespace emulated

inline void begin_products() { __syncwarp(); }
inline void multiply(float (&sums)[64], TileRows a, TileRows b, bool adds) {
  const int lane = emulated::lane(), warp = static_cast<int>(threadIdx.x) / 32 % 4;
  float left[2][16], right[16];
  for (int h = 0; h < 2; ++h) emulated::read_row(a, warp * 16 + h * 8 + lane / 4, left[h]);
  for (int column = 0; column < 32; ++column) {
    emulated::read_row(b, column / 2 * 8 + lane % 4 * 2 + column % 2, right);
    for (int h = 0; h < 2; ++h) {
      float& sum = sums[column / 2 * 4 + 2 * h + column % 2];
      float more = 0.0F;
      for (int i = 0; i < 16; ++i) more += left[h][i] * right[i];
      sum = adds ? sum + more : more;
    }
  }
}
inline void end_products() {}
template <int rest>
void wait_for_products() {
  __syncwarp();
}

}  // namespace astroclip::cuda
