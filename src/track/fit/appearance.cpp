#include "track/fit/appearance.h"

#include <Eigen/Cholesky>
#include <cmath>

#include "mien/base/parallel.h"

namespace mien::fit {
namespace {

constexpr double kNoise = 0.02;      // of a colour in 0..1: what no model explains
constexpr double kEvenLight = 0.03;  // pull towards even light, as a share of what the samples say
constexpr double kOutlier = 3;       // in units of a sample's deviation
constexpr int kRounds = 2;
constexpr int kLightEvery = 5;  // samples: light is smooth

}  // namespace

SampleView view_samples(const FaceSampler& sampler, const FacePicture& picture, const Lens& lens,
                        const FrameState& state, const std::vector<std::uint8_t>* visible) {
  const FaceSamples& samples = sampler.samples();
  SampleView view;
  view.visible = visible != nullptr ? *visible : sampler.visible(lens, state);
  view.rotation = state.rotation;
  view.seen.setZero(3, samples.count());
  const Eigen::VectorXd shape = samples.shape(state);
  const Lens small = picture.lens(lens);
  for (int k = 0; k < samples.count(); ++k) {
    std::uint8_t& in_view = view.visible[static_cast<std::size_t>(k)];
    if (in_view == 0) continue;
    Eigen::Vector3d value;
    const Eigen::Vector3d c = state.rotation * shape.segment<3>(3 * k) + state.translation;
    if (picture.sample(project(small, c), value, nullptr))
      view.seen.col(k) = value;
    else
      in_view = 0;
  }
  return view;
}

Eigen::Matrix<double, 9, 1> harmonics(const Eigen::Vector3d& n) {
  Eigen::Matrix<double, 9, 1> y;
  y << 1, n.x(), n.y(), n.z(), n.x() * n.y(), n.y() * n.z(), 3 * n.z() * n.z() - 1, n.x() * n.z(),
      n.x() * n.x() - n.y() * n.y();
  return y;
}

Appearance estimate_appearance(const FaceSamples& samples, std::vector<SampleView>& views) {
  const int count = samples.count();
  Appearance out;
  out.albedo.setConstant(3, count, 0.5);
  out.trust.setConstant(count, 1 / (0.1 * 0.1));
  out.light.setZero();
  out.light.row(0).setOnes();
  std::vector<Eigen::Matrix<double, 9, Eigen::Dynamic>> bases(views.size());
  parallel_for(static_cast<std::int64_t>(views.size()), 1, [&](std::int64_t v) {
    const auto i = static_cast<std::size_t>(v);
    bases[i].resize(9, count);
    for (int k = 0; k < count; ++k) bases[i].col(k) = harmonics(views[i].rotation * samples.normal.col(k));
  });
  const double least = std::max(1.0, 0.15 * static_cast<double>(views.size()));
  for (int round = 0; round < kRounds; ++round) {
    // Albedo and trust of each sample, given light and gains.
    std::vector<Colours> shade(views.size());
    parallel_for(static_cast<std::int64_t>(views.size()), 1, [&](std::int64_t v) {
      const auto i = static_cast<std::size_t>(v);
      shade[i].noalias() = views[i].gain.asDiagonal() * (out.light.transpose() * bases[i]);
    });
    parallel_for(count, 64, [&](std::int64_t sample) {
      const auto k = static_cast<int>(sample);
      Eigen::Vector3d albedo = out.albedo.col(k);
      double square = 0, seen = 0;
      for (int again = 0; again < 3; ++again) {
        Eigen::Vector3d top = Eigen::Vector3d::Zero(), bottom = Eigen::Vector3d::Constant(1e-9);
        double weights = 0;
        square = seen = 0;
        for (std::size_t v = 0; v < views.size(); ++v) {
          if (views[v].visible[static_cast<std::size_t>(k)] == 0) continue;
          const Eigen::Vector3d s = shade[v].col(k), value = views[v].seen.col(k);
          const double r = (value - albedo.cwiseProduct(s)).squaredNorm() / 3;
          const bool first = round == 0 && again == 0;
          const double odd = first ? 0 : r * out.trust[k] / (kOutlier * kOutlier);
          const double w = 1 / ((1 + odd) * (1 + odd));
          top += w * value.cwiseProduct(s);
          bottom += w * s.cwiseAbs2();
          square += w * r;
          weights += w;
          seen += 1;
        }
        albedo = top.cwiseQuotient(bottom);
        // The first look compares with a grey that means nothing.
        if (round > 0 || again > 0) out.trust[k] = 1 / (kNoise * kNoise + square / std::max(weights, 1e-9));
      }
      out.albedo.col(k) = albedo;
      if (seen < least) out.trust[k] = 0;
    });
    // Light, given the albedo.
    parallel_for(3, 1, [&](std::int64_t colour) {
      const auto c = static_cast<int>(colour);
      Eigen::Matrix<double, 9, 9> h = Eigen::Matrix<double, 9, 9>::Zero();
      Eigen::Matrix<double, 9, 1> b = Eigen::Matrix<double, 9, 1>::Zero();
      for (std::size_t v = 0; v < views.size(); ++v) {
        const SampleView& view = views[v];
        for (int k = 0; k < count; k += kLightEvery) {
          if (view.visible[static_cast<std::size_t>(k)] == 0 || !(out.trust[k] > 0)) continue;
          const Eigen::Matrix<double, 9, 1> y = view.gain[c] * out.albedo(c, k) * bases[v].col(k);
          const double r = view.seen(c, k) - y.dot(out.light.col(c));
          const double odd = r * r * out.trust[k] / (kOutlier * kOutlier);
          const double w = out.trust[k] / ((1 + odd) * (1 + odd));
          h.selfadjointView<Eigen::Lower>().rankUpdate(y, w);
          b += w * view.seen(c, k) * y;
        }
      }
      const Eigen::Matrix<double, 9, 9> full = h.selfadjointView<Eigen::Lower>();
      const double pull = kEvenLight * full(0, 0) + 1e-9;
      Eigen::Matrix<double, 9, 9> damped = full;
      damped.diagonal().array() += pull;
      Eigen::Matrix<double, 9, 1> even = Eigen::Matrix<double, 9, 1>::Zero();
      even[0] = 1;
      out.light.col(c) = damped.llt().solve(b + pull * even);
    });
    parallel_for(static_cast<std::int64_t>(views.size()), 1, [&](std::int64_t v) {
      SampleView& view = views[static_cast<std::size_t>(v)];
      Eigen::VectorXd weight = out.trust;
      for (int k = 0; k < count; ++k) {
        if (view.visible[static_cast<std::size_t>(k)] == 0) weight[k] = 0;
      }
      const Colours wanted = out.albedo.cwiseProduct(out.light.transpose() * bases[static_cast<std::size_t>(v)]);
      view.gain = best_gain(wanted, view.seen, weight);
    });
  }
  return out;
}

Colours shaded(const FaceSamples& samples, const Appearance& appearance, const Eigen::Matrix3d& rotation) {
  Colours out(3, samples.count());
  for (int k = 0; k < samples.count(); ++k) {
    out.col(k) = appearance.albedo.col(k).cwiseProduct(appearance.light.transpose() *
                                                       harmonics(rotation * samples.normal.col(k)));
  }
  return out;
}

Eigen::Vector3d best_gain(const Colours& wanted, const Colours& seen, const Eigen::VectorXd& weight) {
  Eigen::Vector3d gain = Eigen::Vector3d::Ones();
  for (int again = 0; again < 2; ++again) {
    Eigen::Vector3d top = Eigen::Vector3d::Constant(1e-9), bottom = top;
    for (Eigen::Index k = 0; k < wanted.cols(); ++k) {
      if (!(weight[k] > 0)) continue;
      const double odd =
          weight[k] * (seen.col(k) - gain.cwiseProduct(wanted.col(k))).squaredNorm() / (3 * kOutlier * kOutlier);
      const double w = weight[k] / ((1 + odd) * (1 + odd));
      top += w * seen.col(k).cwiseProduct(wanted.col(k));
      bottom += w * wanted.col(k).cwiseAbs2();
    }
    gain = top.cwiseQuotient(bottom).cwiseMax(0.3).cwiseMin(3.0);
  }
  return gain;
}

}  // namespace mien::fit
