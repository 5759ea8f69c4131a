// Files in the layouts of ICT-FaceKit and FLAME, written by the tests: the default head, passed off as either.
#pragma once

#include <bit>
#include <cstring>
#include <fstream>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "head/head_fixture.h"
#include "head/outside/overlay.h"

namespace mien::test {

// The default head's parts that others have, larger by a twentieth and standing elsewhere, so that placement is tested.
struct Disguise {
  static constexpr float kScale = 1.05f;
  Vec3 offset = Vec3(0.01f, -0.05f, 0.02f);
  std::vector<int> kept;  // vertices of theirs -> the default head's
  std::vector<Index3> faces;
  std::vector<HeadPart> parts;
  std::vector<int> face_from;  // faces of theirs -> the default head's

  template <typename Keep>
  Disguise(const HeadModel& head, const Keep& keep) {
    std::vector<int> ours(head.mesh.positions.size(), -1);
    for (int f = 0; f < head.mesh.face_count(); ++f) {
      if (!keep(f)) continue;
      Index3 face;
      for (int k = 0; k < 3; ++k) {
        int& v = ours[head.mesh.faces[f][k]];
        if (v < 0) {
          v = static_cast<int>(kept.size());
          kept.push_back(head.mesh.faces[f][k]);
        }
        face[k] = v;
      }
      faces.push_back(face);
      parts.push_back(head.face_part[f]);
      face_from.push_back(f);
    }
  }
  Vec3 place(const Vec3& p) const { return kScale * p + offset; }
  int nearest(const HeadModel& head, const Vec3& p) const {
    int best = 0;
    for (std::size_t v = 0; v < kept.size(); ++v) {
      if ((head.mesh.positions[kept[v]] - p).norm() < (head.mesh.positions[kept[best]] - p).norm())
        best = static_cast<int>(v);
    }
    return best;
  }
};

// Python's pickle protocol 2, byte by byte.
class PickleWriter {
 public:
  PickleWriter() : bytes_("\x80\x02", 2) {}
  PickleWriter& op(std::string_view code) {
    bytes_ += code;
    return *this;
  }
  PickleWriter& name(const std::string& module, const std::string& what) {
    return op("c" + module + "\n" + what + "\n");
  }
  PickleWriter& text(const std::string& value) {
    return op(std::string("U") + static_cast<char>(value.size()) + value);
  }
  PickleWriter& integer(std::int32_t value) { return op("J").raw(value); }
  template <typename Value>
  PickleWriter& raw(const Value& value) {
    bytes_.append(reinterpret_cast<const char*>(&value), sizeof(value));
    return *this;
  }
  // An ndarray as NumPy reduces it.
  template <typename Element>
  PickleWriter& array(const std::vector<std::int32_t>& shape, const std::vector<Element>& values, const char* type) {
    name("numpy.core.multiarray", "_reconstruct").name("numpy", "ndarray").op("K").op(std::string(1, '\0'));
    op("\x85").text("b").op("\x87").op("R");
    op("(").integer(1).op("(");
    for (const std::int32_t n : shape) integer(n);
    op("t").name("numpy", "dtype").text(type).integer(0).integer(1).op("\x87").op("R");
    op("(").integer(3).text("<").op("NNN").integer(-1).integer(-1).integer(0).op("tb");
    op("\x89").op("T").raw(static_cast<std::uint32_t>(values.size() * sizeof(Element)));
    bytes_.append(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(Element));
    return op("tb");
  }
  // chumpy's wrapper of an array: an object whose state has it as "x".
  template <typename Element>
  PickleWriter& chumpy(const std::vector<std::int32_t>& shape, const std::vector<Element>& values, const char* type) {
    name("copy_reg", "_reconstructor").name("chumpy.ch", "Ch").name("__builtin__", "object").op("N\x87R");
    op("}(").text("x");
    array(shape, values, type);
    return text("_depends_on_deps").op("\x88").op("ub");
  }
  std::string done() { return bytes_ + "."; }

 private:
  std::string bytes_;
};

inline void write_text(const std::filesystem::path& path, std::string_view text) {
  std::ofstream(path, std::ios::binary) << text;
}

// An .npy of doubles or 64-bit integers.
template <typename Element>
std::string npy(const std::vector<std::int64_t>& shape, const std::vector<Element>& values, const char* type) {
  std::string sizes;
  for (const std::int64_t n : shape) sizes += fmt::format("{},", n);
  std::string header = fmt::format("{{'descr': '{}', 'fortran_order': False, 'shape': ({}), }}", type, sizes);
  header.resize((header.size() + 10 + 63) / 64 * 64 - 10, ' ');
  const auto length = static_cast<std::uint16_t>(header.size());
  std::string out("\x93NUMPY\x01\x00", 8);
  out.append(reinterpret_cast<const char*>(&length), 2);
  out += header;
  out.append(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(Element));
  return out;
}

// A zip archive whose members are stored as they are.
inline std::string npz(const std::map<std::string, std::string>& members) {
  std::string out, directory;
  const auto put = [](std::string& to, std::uint64_t value, int size) {
    for (int i = 0; i < size; ++i) to += static_cast<char>(value >> 8 * i & 255);
  };
  for (const auto& [name, content] : members) {
    const std::string file = name + ".npy";
    std::string common;  // version, flags, method, time, date, checksum (not looked at), sizes, lengths
    for (const int value : {20, 0, 0, 0, 0}) put(common, static_cast<std::uint64_t>(value), 2);
    put(common, 0, 4);
    put(common, content.size(), 4);
    put(common, content.size(), 4);
    put(common, file.size(), 2);
    put(common, 0, 2);
    put(directory, 0x02014b50, 4);
    put(directory, 20, 2);
    directory += common;
    for (const int size : {2, 2, 2, 4}) put(directory, 0, size);
    put(directory, out.size(), 4);
    directory += file;
    put(out, 0x04034b50, 4);
    out += common + file + content;
  }
  const std::size_t start = out.size();
  out += directory;
  put(out, 0x06054b50, 4);
  put(out, 0, 4);
  put(out, members.size(), 2);
  put(out, members.size(), 2);
  put(out, directory.size(), 4);
  put(out, start, 4);
  put(out, 0, 2);
  return out;
}

}  // namespace mien::test
