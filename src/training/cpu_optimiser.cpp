// The CPU's optimiser behind the common face: reads pictures ahead, and takes one step at a time.
#include <algorithm>
#include <deque>
#include <utility>

#include "gaussian_step.h"

namespace mien {
namespace {

constexpr int kReadAhead = 3;

class CpuOptimiser final : public AvatarOptimiser {
 public:
  CpuOptimiser(GaussianAvatar& avatar, const GaussianTrainOptions& options, const SampleReader& reader)
      : reader_(reader), ranks_(options.ranks), optimiser_(avatar, options) {}

  void announce(const SampleKey& key) override { coming_.push_back(reader_.read_ahead(key)); }
  int ahead() const override { return kReadAhead; }
  void step(const StepJob& job) override {
    TrainingSample sample;
    if (coming_.empty()) {
      sample = reader_.read(job.key);
    } else {
      sample = coming_.front().get();
      coming_.pop_front();
    }
    sample.appearance = job.appearance;
    const ImageLossValue loss = optimiser_.differentiate(sample, job.background.data(), job.sh_degree);
    if (!job.last || pictures_ > 0) add_up(job.last);
    if (job.last) {
      if (ranks_.several()) average_over_ranks();
      optimiser_.update(job.sh_degree, job.rates, job.appearances);
    }
    sum_.total += loss.total;
    sum_.l1 += loss.l1;
    sum_.ssim += loss.ssim;
    sum_.matte += loss.matte;
    ++steps_;
  }
  ImageLossValue losses() override {
    const double n = std::max(1, std::exchange(steps_, 0));
    const ImageLossValue sum = std::exchange(sum_, {});
    return {sum.total / n, sum.l1 / n, sum.ssim / n, sum.matte / n};
  }
  int report_every() const override { return 1; }
  bool adds_up_gradients() const override { return true; }
  std::vector<ParameterGroup>& groups() override { return optimiser_.groups(); }
  void use_networks(bool on) override { optimiser_.use_networks(on); }
  void store() override { optimiser_.store(); }
  void fetch() override { optimiser_.fetch(); }

 private:
  // Takes the gradients of a picture; at the last one their mean becomes the groups'.
  void add_up(bool last) {
    std::vector<ParameterGroup>& all = optimiser_.groups();
    sums_.resize(all.size());
    ++pictures_;
    for (std::size_t i = 0; i < all.size(); ++i) {
      std::vector<float>&sum = sums_[i], &gradients = all[i].gradients;
      sum.resize(gradients.size(), 0.0f);
      const float share = last ? 1.0f / static_cast<float>(pictures_) : 1.0f;
      for (std::size_t k = 0; k < sum.size(); ++k) {
        sum[k] = (sum[k] + gradients[k]) * share;
        gradients[k] = 0;
      }
      if (last) std::swap(sum, gradients);
    }
    if (last) pictures_ = 0;
  }
  void average_over_ranks() {
    std::vector<std::span<float>> gradients;
    for (ParameterGroup& group : optimiser_.groups()) gradients.emplace_back(group.gradients);
    ranks_.average(gradients);
  }

  const SampleReader& reader_;
  const RankGroup& ranks_;
  GaussianOptimiser optimiser_;
  std::deque<std::future<TrainingSample>> coming_;
  std::vector<std::vector<float>> sums_;  // of the gradients of a step's first pictures, by group
  int pictures_ = 0;                      // in them
  ImageLossValue sum_;
  int steps_ = 0;
};

}  // namespace

std::unique_ptr<AvatarOptimiser> make_cpu_optimiser(GaussianAvatar& avatar, const GaussianTrainOptions& options,
                                                    const SampleReader& reader) {
  return std::make_unique<CpuOptimiser>(avatar, options, reader);
}

}  // namespace mien
