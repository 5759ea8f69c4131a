#include "head/outside/pickle_machine.h"

#include <algorithm>
#include <array>
#include <bit>
#include <charconv>
#include <cstdlib>

#include "mien/base/error.h"

namespace mien::outside::pickle {
namespace {

constexpr std::size_t kMaxValues = 1'000'000;  // FLAME's files hold a few hundred
constexpr std::size_t kShortText = 200;        // longer ones stay in the file

// What may be named: the makers of arrays, sparse matrices and chumpy's wrappers of arrays.
bool is_harmless(std::string_view module, std::string_view name) {
  if (module == "numpy" || module == "numpy.core.multiarray" || module == "numpy._core.multiarray")
    return name == "ndarray" || name == "dtype" || name == "_reconstruct" || name == "scalar";
  if (module == "copy_reg" || module == "copyreg") return name == "_reconstructor";
  if (module == "__builtin__" || module == "builtins") return name == "object" || name == "set" || name == "list";
  if (module == "_codecs") return name == "encode";
  if (module == "scipy.sparse" || module.starts_with("scipy.sparse."))
    return name == "csc_matrix" || name == "csr_matrix";
  if (module.starts_with("chumpy.")) return name == "Ch";
  return module == "collections" && name == "OrderedDict";
}

}  // namespace

void Machine::fail(const std::string& what) const {
  throw Error(ErrorCode::kBadFile, fmt::format("{}: at byte {}: {}", where_, at_, what),
              "a file of the model as published is needed");
}

int Machine::add(Value value) {
  if (values_.size() >= kMaxValues) fail(fmt::format("more than {} values", kMaxValues));
  values_.push_back(std::move(value));
  return static_cast<int>(values_.size()) - 1;
}

int Machine::pop() {
  if (stack_.empty() || (!marks_.empty() && stack_.size() <= marks_.back())) fail("nothing to take from the stack");
  const int id = stack_.back();
  stack_.pop_back();
  return id;
}

Value& Machine::top() {
  if (stack_.empty() || (!marks_.empty() && stack_.size() <= marks_.back())) fail("nothing on the stack");
  return values_[static_cast<std::size_t>(stack_.back())];
}

std::vector<int> Machine::pop_to_mark() {
  if (marks_.empty()) fail("no mark on the stack");
  std::vector<int> items(stack_.begin() + static_cast<std::ptrdiff_t>(marks_.back()), stack_.end());
  stack_.resize(marks_.back());
  marks_.pop_back();
  return items;
}

std::uint64_t Machine::little(int size) {
  if (static_cast<std::size_t>(size) > bytes_.size() - at_) fail("it ends too early");
  std::uint64_t value = 0;
  for (int i = size; i-- > 0;) value = value << 8 | bytes_[at_ + static_cast<std::size_t>(i)];
  at_ += static_cast<std::size_t>(size);
  return value;
}

std::string Machine::line() {
  std::string out;
  while (true) {
    const char c = static_cast<char>(little(1));
    if (c == '\n') return out;
    if (out.size() >= 4096) fail("a line of more than 4096 bytes");
    out += c;
  }
}

void Machine::text(std::uint64_t length, Kind kind) {
  if (length > bytes_.size() - at_) fail(fmt::format("{} bytes of text, but the file ends", length));
  Value value;
  value.kind = kind;
  value.begin = at_;
  value.end = at_ + length;
  if (length <= kShortText) value.text.assign(reinterpret_cast<const char*>(bytes_.data()) + at_, length);
  at_ += length;
  push(std::move(value));
}

std::vector<std::uint8_t> Machine::bytes(int id) const {
  const Value* value = &at(id);
  bool is_encoded = value->kind == Kind::kText;
  if (value->kind == Kind::kMade && value->text == "_codecs.encode" && !value->items.empty()) {
    value = &at(value->items[0]);  // Python 3 writes bytes as text of characters 0 to 255
    is_encoded = true;
  }
  if (value->kind != Kind::kBytes && value->kind != Kind::kText) fail("an array without its bytes");
  const auto raw = bytes_.subspan(value->begin, value->end - value->begin);
  if (!is_encoded) return {raw.begin(), raw.end()};
  std::vector<std::uint8_t> out;
  out.reserve(raw.size());
  for (std::size_t i = 0; i < raw.size(); ++i) {
    if (raw[i] < 0x80) {
      out.push_back(raw[i]);
    } else if ((raw[i] == 0xc2 || raw[i] == 0xc3) && i + 1 < raw.size()) {
      out.push_back(static_cast<std::uint8_t>((raw[i] & 3) << 6 | (raw[i + 1] & 0x3f)));
      ++i;
    } else {
      fail("an array whose text holds more than bytes");
    }
  }
  return out;
}

void Machine::name(const std::string& module, const std::string& what) {
  if (!is_harmless(module, what)) {
    throw Error(ErrorCode::kBadFile,
                fmt::format("{}: the pickle asks for {}.{}, which no head model needs; nothing was run", where_,
                            module.substr(0, 60), what.substr(0, 60)),
                "do not open this file with Python; get the model from its makers");
  }
  Value value;
  value.kind = Kind::kName;
  value.text = module + "." + what;
  push(std::move(value));
}

int Machine::run() {
  while (!done_) step(static_cast<std::uint8_t>(little(1)));
  return pop();
}

void Machine::step(std::uint8_t code) {
  switch (code) {
    case 0x80:  // PROTO
      if (little(1) > 5) fail("a pickle of a newer protocol");
      return;
    case 0x95:  // FRAME
      little(8);
      return;
    case '.':
      done_ = true;
      return;
    case 'I':
    case 'J':
    case 'K':
    case 'M':
    case 'L':
    case 0x8a:
    case 'F':
    case 'G':
    case 'N':
    case 0x88:
    case 0x89:
      return step_number(code);
    case 'T':
    case 'X':
      return text(little(4), code == 'X' ? Kind::kText : Kind::kBytes);
    case 'B':
      return text(little(4), Kind::kBytes);
    case 'U':
    case 'C':
      return text(little(1), Kind::kBytes);
    case 0x8c:
      return text(little(1), Kind::kText);
    case 0x8d:
    case 0x8e:
      return text(little(8), code == 0x8d ? Kind::kText : Kind::kBytes);
    case 'p':
    case 'q':
    case 'r':
    case 'g':
    case 'h':
    case 'j':
    case 0x94:
      return step_memo(code);
    case 'c':
    case 0x93:
    case 'R':
    case 0x81:
    case 'b':
      return step_object(code);
    default:
      return step_container(code);
  }
}

void Machine::step_number(std::uint8_t code) {
  Value value;
  value.kind = Kind::kInteger;
  if (code == 'J') {
    value.integer = static_cast<std::int32_t>(little(4));
  } else if (code == 'K' || code == 'M') {
    value.integer = static_cast<std::int64_t>(little(code == 'K' ? 1 : 2));
  } else if (code == 'I' || code == 'L') {
    std::string digits = line();
    if (code == 'L' && digits.ends_with('L')) digits.pop_back();
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value.integer);
    if (error != std::errc() || end != digits.data() + digits.size()) fail("a number that is none");
  } else if (code == 0x8a) {  // LONG1: little endian, two's complement
    const std::uint64_t size = little(1);
    if (size > 8) fail("a number of more than 64 bits");
    const std::uint64_t raw = little(static_cast<int>(size));
    const int spare = 64 - 8 * static_cast<int>(size);
    value.integer = size == 0 ? 0 : static_cast<std::int64_t>(raw << spare) >> spare;
  } else if (code == 'G' || code == 'F') {
    value.kind = Kind::kReal;
    if (code == 'F') {
      value.real = std::strtod(line().c_str(), nullptr);
    } else {  // the one big-endian instruction
      std::uint64_t raw = 0;
      for (int i = 0; i < 8; ++i) raw = raw << 8 | little(1);
      value.real = std::bit_cast<double>(raw);
    }
  } else if (code == 'N') {
    value.kind = Kind::kNone;
  } else {
    value.integer = code == 0x88 ? 1 : 0;
  }
  push(std::move(value));
}

void Machine::step_container(std::uint8_t code) {
  const auto make = [&](Kind kind, std::vector<int> items) {
    Value value;
    value.kind = kind;
    value.items = std::move(items);
    push(std::move(value));
  };
  const auto extend = [&](Kind kind, const std::vector<int>& items) {
    Value& target = top();
    // The state of some objects is set item by item; that is of no use here, but no fault either.
    if (target.kind != kind && target.kind != Kind::kMade) fail("items for what is no list or dict");
    if (kind == Kind::kDict && items.size() % 2 != 0) fail("a key without a value");
    if (target.kind == kind) target.items.insert(target.items.end(), items.begin(), items.end());
  };
  switch (code) {
    case '(':
      marks_.push_back(stack_.size());
      return;
    case '0':
      if (!marks_.empty() && marks_.back() == stack_.size()) {
        marks_.pop_back();
      } else {
        pop();
      }
      return;
    case '1':
      pop_to_mark();
      return;
    case '2':
      top();
      stack_.push_back(stack_.back());
      if (stack_.size() > kMaxValues) fail("a stack without end");
      return;
    case ')':
      return make(Kind::kTuple, {});
    case ']':
      return make(Kind::kList, {});
    case '}':
      return make(Kind::kDict, {});
    case 't':
      return make(Kind::kTuple, pop_to_mark());
    case 'l':
      return make(Kind::kList, pop_to_mark());
    case 'd':
      return make(Kind::kDict, pop_to_mark());
    case 0x85:
    case 0x86:
    case 0x87: {
      std::vector<int> items(static_cast<std::size_t>(code - 0x84));
      for (std::size_t i = items.size(); i-- > 0;) items[i] = pop();
      return make(Kind::kTuple, std::move(items));
    }
    case 'a': {
      const int item = pop();
      return extend(Kind::kList, {item});
    }
    case 's': {
      const int item = pop(), key = pop();
      return extend(Kind::kDict, {key, item});
    }
    case 'e':
      return extend(Kind::kList, pop_to_mark());
    case 'u':
      return extend(Kind::kDict, pop_to_mark());
    case 'S': {  // quoted text; only its short, plain form is of use here
      Value value;
      value.kind = Kind::kText;
      value.text = line();
      if (value.text.size() >= 2 && value.text.find('\\') == std::string::npos)
        value.text = value.text.substr(1, value.text.size() - 2);
      return push(std::move(value));
    }
    case 'V': {
      Value value;
      value.kind = Kind::kText;
      value.text = line();
      return push(std::move(value));
    }
    default:
      throw Error(ErrorCode::kUnsupported,
                  fmt::format("{}: at byte {}: pickle instruction 0x{:02x}, which files of numbers do not have", where_,
                              at_ - 1, code),
                  "save the arrays with numpy.savez and give that .npz");
  }
}

void Machine::step_memo(std::uint8_t code) {
  const auto number = [&]() -> std::uint64_t {
    if (code == 'q' || code == 'h') return little(1);
    if (code == 'r' || code == 'j') return little(4);
    const std::string digits = line();
    std::uint64_t value = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
    if (error != std::errc() || end != digits.data() + digits.size()) fail("a memo number that is none");
    return value;
  };
  if (code == 'g' || code == 'h' || code == 'j') {
    const auto found = memo_.find(number());
    if (found == memo_.end()) fail("a memo that was never written");
    stack_.push_back(found->second);
    if (stack_.size() > kMaxValues) fail("a stack without end");
    return;
  }
  const std::uint64_t slot = code == 0x94 ? memo_.size() : number();
  top();
  memo_[slot] = stack_.back();
}

void Machine::step_object(std::uint8_t code) {
  if (code == 'c') {
    const std::string module = line();
    return name(module, line());
  }
  if (code == 0x93) {
    const std::string what = at(pop()).text, module = at(pop()).text;
    return name(module, what);
  }
  if (code == 'b') {
    const int state = pop();
    top().state = state;
    return;
  }
  const int arguments = pop(), maker = pop();
  if (at(maker).kind != Kind::kName || at(arguments).kind != Kind::kTuple) fail("a call of what is no name");
  if (at(arguments).items.size() > 100) fail("a call with more than 100 arguments");  // they are copied
  Value value;
  value.kind = Kind::kMade;
  value.text = at(maker).text;
  value.items = at(arguments).items;
  push(std::move(value));
}

}  // namespace mien::outside::pickle
