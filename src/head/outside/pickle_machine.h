// The stack machine of Python's pickles, building inert values only. See pickle.cpp.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace mien::outside::pickle {

enum class Kind : std::uint8_t { kNone, kInteger, kReal, kText, kBytes, kTuple, kList, kDict, kName, kMade };

struct Value {
  Kind kind = Kind::kNone;
  std::int64_t integer = 0;  // also true and false
  double real = 0;
  std::string text;                // short texts; names as "module.name"; of kMade: what it would be made by
  std::size_t begin = 0, end = 0;  // of kBytes and kText: where in the file; end 0 when `text` holds it
  std::vector<int> items;          // of a dict: key, value, key, value; of kMade: the arguments
  int state = -1;                  // of kMade: what BUILD hands over
};

class Machine {
 public:
  Machine(std::span<const std::uint8_t> bytes, const std::string& where) : bytes_(bytes), where_(where) {}
  // The value on top at STOP. Throws kBadFile, kUnsupported.
  int run();
  const Value& at(int id) const { return values_[static_cast<std::size_t>(id)]; }
  bool is_text(int id) const { return at(id).kind == Kind::kText || at(id).kind == Kind::kBytes; }
  // Raw bytes of an array: a byte string, or text that Python 3 wrote for one (one character a byte).
  std::vector<std::uint8_t> bytes(int id) const;
  [[noreturn]] void fail(const std::string& what) const;

 private:
  void step(std::uint8_t code);
  void step_number(std::uint8_t code);
  void step_container(std::uint8_t code);
  void step_memo(std::uint8_t code);
  void step_object(std::uint8_t code);
  int add(Value value);
  void push(Value value) { stack_.push_back(add(std::move(value))); }
  int pop();
  Value& top();
  std::vector<int> pop_to_mark();
  void text(std::uint64_t length, Kind kind);
  void name(const std::string& module, const std::string& name);
  std::uint64_t little(int size);
  std::string line();

  std::span<const std::uint8_t> bytes_;
  const std::string& where_;
  std::size_t at_ = 0;
  bool done_ = false;
  std::deque<Value> values_;
  std::vector<int> stack_;
  std::vector<std::size_t> marks_;
  std::map<std::uint64_t, int> memo_;
};

}  // namespace mien::outside::pickle
