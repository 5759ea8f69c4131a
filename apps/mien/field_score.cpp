#include "field_score.h"

#include <cstdio>

#include "mien/base/error.h"
#include "mien/base/interrupt.h"
#include "mien/base/json.h"

namespace mien::app {

void score_field(const Avatar& avatar, const Capture& capture, const FieldEvaluationOptions& options, bool json) {
  std::vector<std::string> names;
  for (const AvatarAppearance& appearance : avatar.appearances) names.push_back(appearance.name);
  FieldEvaluationOptions o = options;
  o.progress = [](std::int64_t, std::int64_t, const std::string&) { return !interrupted(); };
  const std::vector<FieldScore> scores = evaluate_field_avatar(*avatar.field, names, capture, o);
  if (json) {
    Json out = {{"renderer", "field"}, {"split", o.split}};
    for (const FieldScore& s : scores) {
      Json row = {{"pictures", s.pictures}, {"psnr", s.psnr}, {"ssim", s.ssim}};
      row["lpips"] = s.lpips ? Json(*s.lpips) : Json(nullptr);
      if (s.appearance.empty())
        out.update(row);
      else
        out["appearances"][s.appearance] = row;
    }
    std::printf("%s\n", out.dump().c_str());
    return;
  }
  std::printf("%-22s %8s %7s %7s %7s\n", "appearance", "pictures", "PSNR", "SSIM", "LPIPS");
  for (const FieldScore& s : scores) {
    std::printf("%-22s %8d %7.2f %7.4f %7s\n", s.appearance.empty() ? "all pictures" : s.appearance.c_str(), s.pictures,
                s.psnr, s.ssim, s.lpips ? fmt::format("{:.4f}", *s.lpips).c_str() : "-");
  }
}

}  // namespace mien::app
