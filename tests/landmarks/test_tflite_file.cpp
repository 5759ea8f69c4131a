// Files: a small network written here by hand, as it should be, cut short, and with every byte spoilt in turn.
#include <gtest/gtest.h>

#include <cstring>

#include "landmarks/tflite_network.h"
#include "mien/base/error.h"

namespace mien {
namespace {

// Appends FlatBuffers tables whose references point forward: a table first, then what it refers to.
class FlatWriter {
 public:
  explicit FlatWriter(const char* id) {
    put32(0);
    for (int i = 0; i < 4; ++i) bytes.push_back(static_cast<std::uint8_t>(id[i]));
  }
  // A table with `fields` slots of four bytes, all present. Returns its position; slot i is at position + 4 + 4 i.
  std::size_t table(const std::vector<std::int32_t>& slots) {
    const std::size_t fields = bytes.size();
    put16(static_cast<std::uint16_t>(4 + 2 * slots.size()));
    put16(static_cast<std::uint16_t>(4 + 4 * slots.size()));
    for (std::size_t i = 0; i < slots.size(); ++i) put16(static_cast<std::uint16_t>(4 + 4 * i));
    while (bytes.size() % 4 != 0) bytes.push_back(0);
    const std::size_t at = bytes.size();
    put32(static_cast<std::uint32_t>(at - fields));
    for (const std::int32_t slot : slots) put32(static_cast<std::uint32_t>(slot));
    return at;
  }
  void refer(std::size_t from, std::size_t to) {
    const auto offset = static_cast<std::uint32_t>(to - from);
    std::memcpy(bytes.data() + from, &offset, 4);
  }
  std::size_t slot(std::size_t table, int i) const { return table + 4 + 4 * static_cast<std::size_t>(i); }
  void vector(std::size_t from, const std::vector<std::int32_t>& values) {
    refer(from, bytes.size());
    put32(static_cast<std::uint32_t>(values.size()));
    for (const std::int32_t v : values) put32(static_cast<std::uint32_t>(v));
  }
  void raw(std::size_t from, const std::vector<std::uint8_t>& values) {
    refer(from, bytes.size());
    put32(static_cast<std::uint32_t>(values.size()));
    for (const std::uint8_t v : values) bytes.push_back(v);
    while (bytes.size() % 4 != 0) bytes.push_back(0);
  }
  // A vector of `count` tables to be filled in; returns where its first reference stands.
  std::size_t list(std::size_t from, std::size_t count) {
    vector(from, std::vector<std::int32_t>(count));
    return bytes.size() - 4 * count;
  }
  void put16(std::uint16_t v) {
    for (int i = 0; i < 2; ++i) bytes.push_back(static_cast<std::uint8_t>(v >> (8 * i)));
  }
  void put32(std::uint32_t v) {
    for (int i = 0; i < 4; ++i) bytes.push_back(static_cast<std::uint8_t>(v >> (8 * i)));
  }
  std::vector<std::uint8_t> bytes;
};

// [1,4,4,1] -> a convolution 1 x 1 by 1.5, whose weight is kept in 16 bits, plus 0.25 -> relu.
std::vector<std::uint8_t> tiny_network() {
  FlatWriter w("TFL3");
  const std::size_t model = w.table({3, 0, 0, 0, 0});  // version, kinds of operations, graphs, description, buffers
  w.refer(0, model);
  w.raw(w.slot(model, 3), {'t'});
  const std::size_t codes = w.list(w.slot(model, 1), 3);
  const int kinds[] = {6, 3, 19};
  for (std::size_t i = 0; i < 3; ++i) {
    const std::size_t code = w.table({kinds[i], 0, 1, kinds[i]});
    w.refer(codes + 4 * i, code);
    w.raw(w.slot(code, 1), {});
  }
  const std::size_t buffers = w.list(w.slot(model, 4), 3);
  const std::vector<std::uint8_t> data[] = {{}, {0x00, 0x3e}, {0, 0, 0x80, 0x3e}};  // nothing, half 1.5, float 0.25
  for (std::size_t i = 0; i < 3; ++i) {
    const std::size_t buffer = w.table({0});
    w.refer(buffers + 4 * i, buffer);
    w.raw(w.slot(buffer, 0), data[i]);
  }
  const std::size_t graphs = w.list(w.slot(model, 2), 1), graph = w.table({0, 0, 0, 0});
  w.refer(graphs, graph);
  const struct {
    std::vector<std::int32_t> shape;
    int type, buffer;
  } tensors[] = {{{1, 4, 4, 1}, 0, 0}, {{1, 1, 1, 1}, 1, 1}, {{1, 1, 1, 1}, 0, 0},
                 {{1}, 0, 2},          {{1, 4, 4, 1}, 0, 0}, {{1, 4, 4, 1}, 0, 0}};
  const std::size_t list = w.list(w.slot(graph, 0), std::size(tensors));
  for (std::size_t i = 0; i < std::size(tensors); ++i) {
    const std::size_t tensor = w.table({0, tensors[i].type, tensors[i].buffer, 0});
    w.refer(list + 4 * i, tensor);
    w.vector(w.slot(tensor, 0), tensors[i].shape);
    w.raw(w.slot(tensor, 3), {static_cast<std::uint8_t>('a' + i)});
  }
  w.vector(w.slot(graph, 1), {0});
  w.vector(w.slot(graph, 2), {5});
  const std::size_t operations = w.list(w.slot(graph, 3), 3);
  const struct { std::vector<std::int32_t> inputs, outputs; } wires[] = {{{1}, {2}}, {{0, 2, 3}, {4}}, {{4}, {5}}};
  for (std::size_t i = 0; i < 3; ++i) {
    const std::vector<std::int32_t> plain = {static_cast<std::int32_t>(i), 0, 0}, with_options = {1, 0, 0, 1, 0};
    const std::size_t op = w.table(i == 1 ? with_options : plain);
    w.refer(operations + 4 * i, op);
    if (i == 1) w.refer(w.slot(op, 4), w.table({0, 1, 1, 0, 1, 1}));
    w.vector(w.slot(op, 1), wires[i].inputs);
    w.vector(w.slot(op, 2), wires[i].outputs);
  }
  return w.bytes;
}

TEST(TfliteFile, RunsASmallNetwork) {
  const TfliteNetwork network(tiny_network(), "tiny");
  EXPECT_EQ(network.input_shape(), (std::vector<std::int64_t>{1, 4, 4, 1}));
  const at::Tensor x = at::linspace(-1, 1, 48).reshape({3, 4, 4, 1});
  const std::vector<at::Tensor> out = network.run(x);
  ASSERT_EQ(out.size(), 1u);
  for (std::int64_t i = 0; i < 48; ++i) {
    const double v = 1.5 * x.reshape(-1)[i].item<float>() + 0.25;
    ASSERT_NEAR(out[0].reshape(-1)[i].item<float>(), std::max(v, 0.0), 1e-6);
  }
  EXPECT_THROW(network.run(at::zeros({1, 5, 4, 1})), Error);
}

TEST(TfliteFile, RefusesEveryShorterFile) {
  const std::vector<std::uint8_t> whole = tiny_network();
  for (std::size_t size = 0; size < whole.size(); ++size) {
    try {
      const TfliteNetwork network({whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size)}, "tiny");
      ADD_FAILURE() << size << " of " << whole.size() << " bytes were taken for a network";
    } catch (const Error& error) {
      EXPECT_TRUE(error.code() == ErrorCode::kBadFile || error.code() == ErrorCode::kUnsupported) << error.what();
    }
  }
}

// A spoilt byte may be harmless; it must never do anything else than load or be refused.
TEST(TfliteFile, SurvivesEverySpoiltByte) {
  const std::vector<std::uint8_t> whole = tiny_network();
  int refused = 0, taken = 0;
  for (std::size_t at = 0; at < whole.size(); ++at) {
    for (const std::uint8_t value : {0x00, 0x01, 0x7f, 0x80, 0xff}) {
      std::vector<std::uint8_t> spoilt = whole;
      spoilt[at] = value;
      try {
        const TfliteNetwork network(spoilt, "tiny");
        ++taken;
      } catch (const Error& error) {
        ++refused;
        EXPECT_NE(error.code(), ErrorCode::kInternal) << error.what();
      }
    }
  }
  EXPECT_GT(refused, 100);
  EXPECT_GT(taken, 100);
}

}  // namespace
}  // namespace mien
