#include <fmt/format.h>

#include "backend/call.h"

namespace astroclip::test {

namespace {

void add_permute(std::vector<Case>& cases) {
  const std::pair<Shape, std::vector<int>> rows[] = {
      {{1}, {0}},
      {{3, 17}, {1, 0}},
      {{131, 33}, {1, 0}},
      {{5, 7, 33}, {0, 2, 1}},
      {{5, 7, 33}, {2, 1, 0}},
      {{5, 7, 33}, {1, 0, 2}},
      {{2, 3, 12, 4, 12, 4}, {0, 2, 4, 1, 3, 5}},  // patches of an image
      {{2, 12, 12, 3, 4, 4}, {0, 3, 1, 4, 2, 5}},
      {{4, 1, 6, 1, 5}, {3, 4, 1, 0, 2}},
      {{3, 5, 40, 8}, {2, 0, 1, 3}},
      {{3, 40, 33, 9}, {2, 3, 0, 1}},
  };
  for (const auto& [shape, order] : rows) {
    std::vector<int64_t> extents;
    for (const int axis : order) extents.push_back(shape[axis]);
    cases.push_back({"permute", shape.str(), Exactness::copies, [=, shape = shape, order = order](Call& call) {
                       call.backend.permute(call.random(shape), order, call.output("y", Shape(extents)));
                     }});
  }
  cases.push_back(
      {"permute", "bytes, halves and words of 8", Exactness::copies, [](Call& call) {
         const ConstView x = call.random({9, 21}, 0.0, 200.0);
         const int order[] = {1, 0};
         for (const DType type : {DType::u8, DType::bf16, DType::i64}) {
           const View typed = call.output(fmt::format("x {}", name_of(type)), {9, 21}, type);
           call.backend.cast(x, typed);
           call.backend.permute(typed, order, call.output(fmt::format("y {}", name_of(type)), {21, 9}, type));
         }
       }});
}

void add_reduce(std::vector<Case>& cases) {
  const std::pair<Shape, Shape> rows[] = {{{1}, {1}},
                                          {{131}, {1}},
                                          {{200003}, {1}},
                                          {{33, 17}, {33, 1}},
                                          {{33, 17}, {1, 17}},
                                          {{1031, 131}, {1, 131}},
                                          {{3, 5, 7}, {3, 1, 7}},
                                          {{3, 5, 7}, {1, 5, 1}},
                                          {{3, 5, 7, 2}, {1, 5, 1, 2}},
                                          {{3, 5, 7, 2}, {3, 1, 7, 1}},
                                          {{4, 1, 6}, {4, 1, 6}},
                                          {{6, 3}, {1, 1}},
                                          {{1 << 18}, {1}},
                                          {{5, 6000}, {5, 1}},
                                          {{9, 64}, {9, 1}},
                                          {{3, 700, 64}, {3, 1, 64}}};
  for (const auto& [from, to] : rows) {
    for (const auto& [op, name] : {std::pair{ReduceOp::sum, "sum"}, std::pair{ReduceOp::maximum, "maximum"}}) {
      cases.push_back({"reduce", fmt::format("{} {} to {}", name, from.str(), to.str()), Exactness::sums,
                       [op = op, from = from, to = to](Call& call) {
                         call.backend.reduce(op, call.random(from, -1.0, 2.0), call.output("y", to));
                       }});
    }
  }
}

/// Branches of some rows of two lines, one row twice and others never; and of every row, without a scale.
void add_branches(std::vector<Case>& cases) {
  for (const int64_t width : {1, 3, 33, 64, 778, 1028}) {
    cases.push_back(
        {"add_rows", fmt::format("width {}", width), Exactness::sums, [=](Call& call) {
           const ConstView x = call.random({6, 2, width}), scale = call.random({width});
           call.backend.add_rows({x, call.random({5, 2, width}), call.indices({5, 0, 0, 3, 5}), scale, 1.5,
                                  call.output("some", {6, 2, width})});
           call.backend.add_rows({x, call.random({6, 2, width}), {}, {}, -0.5, call.output("all", {6, 2, width})});
         }});
    cases.push_back({"add_rows_backward", fmt::format("width {}", width), Exactness::sums, [=](Call& call) {
                       const ConstView dsum = call.random({60, 2, width});
                       const ConstView y = call.random({5, 2, width}), scale = call.random({width});
                       call.backend.add_rows_backward({dsum, y, call.indices({5, 0, 0, 59, 5}), scale, 1.5,
                                                       call.output("dy of some", {5, 2, width}),
                                                       call.output("dscale of some", {width})});
                       call.backend.add_rows_backward({dsum,
                                                       call.random({60, 2, width}),
                                                       {},
                                                       scale,
                                                       -0.5,
                                                       call.output("dy of all", {60, 2, width}),
                                                       call.output("dscale of all", {width})});
                       call.backend.add_rows_backward({dsum, {}, {}, {}, 2.0, call.output("dy", {60, 2, width}), {}});
                     }});
  }
}

}  // namespace

std::vector<Case> layout_cases() {
  std::vector<Case> cases;
  add_permute(cases);
  add_reduce(cases);
  add_branches(cases);
  for (const int64_t width : {int64_t{1}, int64_t{3}, int64_t{33}, int64_t{5000}}) {
    for (const bool accumulate : {false, true}) {
      cases.push_back({"copy_blocks", fmt::format("width {} accumulate {}", width, accumulate), Exactness::pointwise,
                       [=](Call& call) {
                         const ConstView x = call.random({7, width + 2});
                         const View y = call.in_place("y", {7, width + 5});
                         call.backend.copy_blocks(x.data, width + 2, y.data, width + 5, width, 7, call.dtype(),
                                                  accumulate);
                         const View whole = call.in_place("whole", {4 * 4096});
                         call.backend.copy_blocks(call.random({4 * 4096}).data, 4 * 4096, whole.data, 4 * 4096,
                                                  4 * 4096, 1, call.dtype(), accumulate);
                       }});
    }
    cases.push_back({"gather_rows", fmt::format("width {}", width), Exactness::copies, [=](Call& call) {
                       call.backend.gather_rows(call.random({6, width}), call.indices({5, 0, 0, 3, 5}),
                                                call.output("y", {5, width}));
                     }});
    cases.push_back({"scatter_add_rows", fmt::format("width {}", width), Exactness::sums, [=](Call& call) {
                       call.backend.scatter_add_rows(call.random({5, width}), call.indices({5, 0, 0, 3, 5}),
                                                     call.in_place("dx", {6, width}));
                     }});
    cases.push_back({"gather_rows", fmt::format("stored, width {}", width), Exactness::copies,
                     [=](Call& call) {
                       call.backend.gather_rows(call.random({6, width}, call.stored()), call.indices({5, 0, 0, 3, 5}),
                                                call.output("y", {5, width}, call.stored()));
                     },
                     true});
    cases.push_back({"scatter_add_rows", fmt::format("stored, width {}", width), Exactness::sums,
                     [=](Call& call) {
                       call.backend.scatter_add_rows(call.random({5, width}, call.stored()),
                                                     call.indices({5, 0, 0, 3, 5}),
                                                     call.in_place("dx", {6, width}, call.stored()));
                     },
                     true});
  }
  cases.push_back(
      {"scatter_add_rows", "many rows to few", Exactness::sums, [](Call& call) {
         std::vector<int64_t> rows;
         for (int64_t i = 0; i < 200; ++i) rows.push_back(i * i % 11);
         call.backend.scatter_add_rows(call.random({200, 36}), call.indices(rows), call.in_place("dx", {12, 36}));
       }});
  return cases;
}

}  // namespace astroclip::test
