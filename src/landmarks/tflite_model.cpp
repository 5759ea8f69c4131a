#include "landmarks/tflite_model.h"

#include <algorithm>
#include <string_view>

#include "mien/base/error.h"

namespace mien {
namespace {

constexpr std::int64_t kMaxElements = std::int64_t{1} << 24;
constexpr std::size_t kMaxParts = 1 << 16;

struct OptionField {  // place in the table, bytes, default
  int field, bytes;
  std::int32_t fallback;
};

std::vector<OptionField> option_fields(TfliteOp op) {
  switch (op) {
    case TfliteOp::kConv:
      return {{0, 1, 0}, {1, 4, 0}, {2, 4, 0}, {3, 1, 0}, {4, 4, 1}, {5, 4, 1}};
    case TfliteOp::kDepthwiseConv:
      return {{0, 1, 0}, {1, 4, 0}, {2, 4, 0}, {3, 4, 0}, {4, 1, 0}, {5, 4, 1}, {6, 4, 1}};
    case TfliteOp::kAveragePool:
    case TfliteOp::kMaxPool:
      return {{0, 1, 0}, {1, 4, 0}, {2, 4, 0}, {3, 4, 0}, {4, 4, 0}, {5, 1, 0}};
    case TfliteOp::kAdd:
    case TfliteOp::kMul:
      return {{0, 1, 0}};
    case TfliteOp::kConcatenation:
      return {{0, 4, 0}, {1, 1, 0}};
    case TfliteOp::kResizeBilinear:
      return {{2, 1, 0}, {3, 1, 0}};
    case TfliteOp::kStridedSlice:
      return {{0, 4, 0}, {1, 4, 0}, {2, 4, 0}, {3, 4, 0}, {4, 4, 0}};
    default:
      return {};
  }
}

bool known(int code) {
  constexpr int kKnown[] = {0, 1, 2, 3, 4, 6, 14, 17, 18, 19, 21, 22, 23, 32, 34, 45, 54, 117};
  return std::find(std::begin(kKnown), std::end(kKnown), code) != std::end(kKnown);
}

class ModelReader {
 public:
  explicit ModelReader(const FileBytes& file) : file_(&file), root_(FlatTable::root(file)) {
    if (file.bytes.size() < 8 || std::memcmp(file.bytes.data() + 4, "TFL3", 4) != 0)
      file.damaged("this is no TensorFlow Lite file");
    model_.name = file.name;
  }

  TfliteModel read() {
    const std::vector<FlatTable> graphs = root_.tables(2);
    if (graphs.size() != 1) file_->damaged(fmt::format("{} graphs instead of one", graphs.size()));
    buffers_ = root_.tables(4);
    codes_ = root_.tables(1);
    const std::vector<FlatTable> tensors = graphs[0].tables(0), operations = graphs[0].tables(3);
    if (tensors.size() > kMaxParts || operations.size() > kMaxParts) file_->damaged("too many tensors or operations");
    for (const FlatTable& table : tensors) model_.tensors.push_back(tensor(table));
    model_.inputs = indexes(graphs[0].ints(1), false);
    model_.outputs = indexes(graphs[0].ints(2), false);
    for (const FlatTable& table : operations) model_.operations.push_back(operation(table));
    check_order();
    return std::move(model_);
  }

 private:
  TfliteTensor tensor(const FlatTable& table) const {
    TfliteTensor out;
    out.name = table.text(3).substr(0, 100);
    const auto type = table.scalar<std::int8_t>(1, 0);
    if (type < 0 || type > 2)
      throw Error(ErrorCode::kUnsupported, fmt::format("{}: {} holds values of type {}", file_->name, out.name, type),
                  "use a network of 32-bit or 16-bit floats");
    out.type = static_cast<TfliteType>(type);
    std::int64_t elements = 1;
    for (const std::int32_t size : table.ints(0)) {
      if (size < 1 || elements * size > kMaxElements || out.shape.size() >= 6)
        file_->damaged(fmt::format("{} has an impossible shape", out.name));
      elements *= size;
      out.shape.push_back(size);
    }
    const auto buffer = table.scalar<std::uint32_t>(2, 0);
    if (buffer >= buffers_.size()) file_->damaged(fmt::format("{} names a buffer that is not there", out.name));
    out.data = buffers_[buffer].bytes(0);
    const std::int64_t bytes = elements * (out.type == TfliteType::kHalf ? 2 : 4);
    if (!out.data.empty() && static_cast<std::int64_t>(out.data.size()) != bytes)
      file_->damaged(fmt::format("{} has {} bytes instead of {}", out.name, out.data.size(), bytes));
    return out;
  }

  std::vector<int> indexes(const std::vector<std::int32_t>& list, bool optional) const {
    for (const std::int32_t i : list) {
      if (i < (optional ? -1 : 0) || i >= static_cast<std::int64_t>(model_.tensors.size()))
        file_->damaged(fmt::format("tensor {} is not there", i));
    }
    return {list.begin(), list.end()};
  }

  TfliteOperation operation(const FlatTable& table) const {
    const auto index = table.scalar<std::uint32_t>(0, 0);
    if (index >= codes_.size()) file_->damaged("an operation of a kind that is not there");
    const FlatTable& code = codes_[index];
    const int number = std::max<int>(code.scalar<std::int8_t>(0, 0), code.scalar<std::int32_t>(3, 0));
    if (!known(number))
      throw Error(ErrorCode::kUnsupported, fmt::format("{}: operation {} is unknown", file_->name, number),
                  "use the pinned version of the network that scripts/setup fetches");
    TfliteOperation out;
    out.op = static_cast<TfliteOp>(number);
    out.custom = code.text(1).substr(0, 100);
    out.version = code.scalar<std::int32_t>(2, 1);
    out.inputs = indexes(table.ints(1), true);
    out.outputs = indexes(table.ints(2), false);
    if (out.inputs.empty() || out.inputs.size() > 64 || out.outputs.size() != 1)
      file_->damaged("an operation with an odd number of inputs or results");
    const std::optional<FlatTable> options = table.table(4);
    for (const OptionField& f : option_fields(out.op)) {
      std::int32_t value = f.fallback;
      if (options) {
        value = f.bytes == 1 ? options->scalar<std::int8_t>(f.field, static_cast<std::int8_t>(f.fallback))
                             : options->scalar<std::int32_t>(f.field, f.fallback);
      }
      out.options.push_back(value);
    }
    out.custom_options = table.bytes(5);
    return out;
  }

  // So that the operations can run as they stand.
  void check_order() const {
    std::vector<bool> there(model_.tensors.size());
    for (std::size_t i = 0; i < there.size(); ++i) there[i] = !model_.tensors[i].data.empty();
    for (const int i : model_.inputs) {
      if (there[i]) file_->damaged("an input is a constant, or named twice");
      there[i] = true;
    }
    for (const TfliteOperation& op : model_.operations) {
      for (const int i : op.inputs) {
        if (i >= 0 && !there[i]) file_->damaged(fmt::format("{} is used before it is made", model_.tensors[i].name));
      }
      const int out = op.outputs[0];
      if (there[out]) file_->damaged(fmt::format("{} is made twice", model_.tensors[out].name));
      there[out] = true;
    }
    if (model_.inputs.empty() || model_.outputs.empty()) file_->damaged("no input or no output");
    for (const int i : model_.outputs) {
      if (!there[i]) file_->damaged(fmt::format("{} is never made", model_.tensors[i].name));
    }
  }

  const FileBytes* file_;
  FlatTable root_;
  std::vector<FlatTable> buffers_, codes_;
  TfliteModel model_;
};

}  // namespace

std::int64_t TfliteTensor::elements() const {
  std::int64_t out = 1;
  for (const std::int64_t size : shape) out *= size;
  return out;
}

TfliteModel read_tflite(const FileBytes& file) {
  return ModelReader(file).read();
}

}  // namespace mien
