// Reads the arrays of a pickled dict without running anything.
//
// A pickle is a program for a small stack machine (documented in CPython's pickletools). Here its instructions only
// build inert values. "Calls" (REDUCE, NEWOBJ) are kept as a name with arguments, the name must be one of those that
// NumPy, SciPy's sparse matrices and chumpy write, and what they mean is decoded afterwards from the data alone.
#include <optional>

#include "head/outside/number_table.h"
#include "head/outside/pickle_machine.h"
#include "mien/base/error.h"

namespace mien::outside {
namespace {

using pickle::Kind;
using pickle::Machine;
using pickle::Value;

class Decoder {
 public:
  Decoder(const Machine& machine, const std::string& where) : machine_(machine), where_(where) {}

  // The array that a value stands for; nothing for anything else.
  std::optional<NumberArray> array(int id, int depth = 0) const {
    const Value& value = machine_.at(id);
    if (depth > 4) return {};
    if (value.kind == Kind::kInteger || value.kind == Kind::kReal)
      return NumberArray{{}, {value.kind == Kind::kReal ? value.real : static_cast<double>(value.integer)}};
    if (value.kind != Kind::kMade) return {};
    if (value.text.ends_with("._reconstruct")) return dense(value);
    if (value.text.ends_with(".csc_matrix")) return sparse(value, true, depth);
    if (value.text.ends_with(".csr_matrix")) return sparse(value, false, depth);
    if (value.text.starts_with("chumpy.")) {
      const int x = field(value.state, "x");
      return x < 0 ? std::nullopt : array(x, depth + 1);
    }
    if (value.text.find("_reconstructor") != std::string::npos && !value.items.empty()) {
      // Protocol 0 and 1 make objects by copy_reg._reconstructor(class, object, None) and a state.
      Value made = value;
      made.text = machine_.at(value.items[0]).text;
      if (made.text.ends_with(".csc_matrix")) return sparse(made, true, depth);
      if (made.text.starts_with("chumpy.")) {
        const int x = field(made.state, "x");
        return x < 0 ? std::nullopt : array(x, depth + 1);
      }
    }
    return {};
  }

 private:
  int field(int dict, std::string_view name) const {
    if (dict < 0) return -1;
    const Value* value = &machine_.at(dict);
    // A state may be (dict, slots).
    if (value->kind == Kind::kTuple && !value->items.empty()) value = &machine_.at(value->items[0]);
    if (value->kind != Kind::kDict) return -1;
    for (std::size_t i = value->items.size(); i >= 2; i -= 2) {
      if (machine_.is_text(value->items[i - 2]) && machine_.at(value->items[i - 2]).text == name)
        return value->items[i - 1];
    }
    return -1;
  }

  std::vector<std::int64_t> integers(int id) const {
    std::vector<std::int64_t> out;
    const Value& value = machine_.at(id);
    if (value.kind == Kind::kInteger) return {value.integer};
    for (const int item : value.items) {
      if (machine_.at(item).kind != Kind::kInteger) machine_.fail("a shape that is not made of numbers");
      out.push_back(machine_.at(item).integer);
    }
    return out;
  }

  // numpy dtype(name, ...) with state (version, byte order, ...): "<f8".
  std::string type_of(int id) const {
    const Value& type = machine_.at(id);
    if (type.kind != Kind::kMade || !type.text.ends_with(".dtype") || type.items.empty()) return "";
    std::string name = machine_.at(type.items[0]).text;
    if (type.state >= 0 && machine_.at(type.state).items.size() > 1) {
      const Value& order = machine_.at(machine_.at(type.state).items[1]);
      if (machine_.is_text(machine_.at(type.state).items[1]) && name.find_first_of("<>|=") == std::string::npos)
        name = order.text + name;
    }
    return name;
  }

  // numpy.core.multiarray._reconstruct(...) with state (version, shape, dtype, column major, bytes).
  std::optional<NumberArray> dense(const Value& value) const {
    if (value.state < 0) return {};
    const std::vector<int>& state = machine_.at(value.state).items;
    if (state.size() != 5) return {};
    const std::string type = type_of(state[2]);
    if (!is_number_type(type)) return {};
    const Value& order = machine_.at(state[3]);
    const std::vector<std::uint8_t> bytes = machine_.bytes(state[4]);
    return decode_array(bytes, type, integers(state[1]), order.kind == Kind::kInteger && order.integer != 0, where_);
  }

  // Compressed columns or rows: data, indices, indptr, and the shape under "_shape".
  std::optional<NumberArray> sparse(const Value& value, bool by_columns, int depth) const {
    const auto part = [&](std::string_view name) {
      const int id = field(value.state, name);
      return id < 0 ? std::nullopt : array(id, depth + 1);
    };
    int shape_id = field(value.state, "_shape");
    if (shape_id < 0) shape_id = field(value.state, "shape");
    const auto data = part("data"), indices = part("indices"), starts = part("indptr");
    if (!data || !indices || !starts || shape_id < 0) return {};
    const std::vector<std::int64_t> shape = integers(shape_id);
    const auto bad = [&] { machine_.fail("a sparse matrix whose parts do not fit together"); };
    constexpr std::int64_t kMaxCells = 1 << 24;
    if (shape.size() != 2 || shape[0] < 1 || shape[1] < 1 || shape[0] > kMaxCells / shape[1]) bad();
    const std::int64_t lines = by_columns ? shape[1] : shape[0], across = by_columns ? shape[0] : shape[1];
    if (static_cast<std::int64_t>(starts->values.size()) != lines + 1 || data->values.size() != indices->values.size())
      bad();
    NumberArray out{shape, std::vector<double>(static_cast<std::size_t>(shape[0] * shape[1]), 0.0)};
    for (std::int64_t line = 0; line < lines; ++line) {
      const double from = starts->values[static_cast<std::size_t>(line)],
                   to = starts->values[static_cast<std::size_t>(line) + 1];
      if (from < 0 || to < from || to > static_cast<double>(data->values.size())) bad();
      for (auto i = static_cast<std::size_t>(from); i < static_cast<std::size_t>(to); ++i) {
        const double other = indices->values[i];
        if (other < 0 || other >= static_cast<double>(across)) bad();
        const auto cell = by_columns ? static_cast<std::int64_t>(other) * shape[1] + line
                                     : line * shape[1] + static_cast<std::int64_t>(other);
        out.values[static_cast<std::size_t>(cell)] += data->values[i];
      }
    }
    return out;
  }

  const Machine& machine_;
  const std::string& where_;
};

}  // namespace

NumberTable read_pickle(std::span<const std::uint8_t> bytes, const std::string& where) {
  Machine machine(bytes, where);
  const int root = machine.run();
  const Value& dict = machine.at(root);
  if (dict.kind != Kind::kDict)
    throw Error(ErrorCode::kBadFile, fmt::format("{}: a pickle, but not of named arrays", where),
                "give the model's own file");
  const Decoder decoder(machine, where);
  NumberTable table;
  constexpr std::size_t kMaxInAll = std::size_t{1} << 25;  // a small file may name one array many times
  std::size_t elements = 0;
  for (std::size_t i = 0; i + 1 < dict.items.size(); i += 2) {
    if (!machine.is_text(dict.items[i])) continue;
    auto array = decoder.array(dict.items[i + 1]);
    if (!array) continue;
    elements += array->values.size();
    if (elements > kMaxInAll) machine.fail("more numbers than any head model has");
    table[machine.at(dict.items[i]).text] = std::move(*array);
  }
  return table;
}

}  // namespace mien::outside
