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
      : reader_(reader), optimiser_(avatar, options) {}

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
    const ImageLossValue loss = optimiser_.step(sample, job.background.data(), job.sh_degree, job.rates);
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
  std::vector<ParameterGroup>& groups() override { return optimiser_.groups(); }
  void use_networks(bool on) override { optimiser_.use_networks(on); }
  void store() override { optimiser_.store(); }
  void fetch() override { optimiser_.fetch(); }

 private:
  const SampleReader& reader_;
  GaussianOptimiser optimiser_;
  std::deque<std::future<TrainingSample>> coming_;
  ImageLossValue sum_;
  int steps_ = 0;
};

}  // namespace

std::unique_ptr<AvatarOptimiser> make_cpu_optimiser(GaussianAvatar& avatar, const GaussianTrainOptions& options,
                                                    const SampleReader& reader) {
  return std::make_unique<CpuOptimiser>(avatar, options, reader);
}

}  // namespace mien
