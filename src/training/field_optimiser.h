// What the field trainer drives: the optimisation of a field avatar step by step, on the CPU or on an NVIDIA GPU.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "avatar_optimiser.h"
#include "field_plan.h"
#include "mien/field/occupancy.h"

namespace mien {

struct FieldRates {
  float networks, table, offset, exposure;
};

struct FieldJob {
  int step = 0;
  bool everywhere = false;  // canonical space is not yet known: ask all of it
  FieldRates rates = {};
};

struct FieldLosses {
  double total = 0;
  double colour = 0;  // mean squared difference
  double depth = 0;   // metres, mean over all rays
  double matte = 0;
  double samples = 0;  // a ray
};

// What training holds beside the avatar's parameters.
struct FieldState {
  std::vector<float> exposure;   // [S,6] three gains, three shifts of every sequence
  std::vector<float> occupancy;  // [R^3] densities of the canonical cells
};

// Names and arrays of what is learnt: table, density, offset, colour, latents, exposure; without those that are not.
// Gradients are the optimiser's own.
std::vector<ParameterGroup> field_groups(FieldAvatar& avatar, FieldState& state, const FieldTrainOptions& options);
float rate_of(const FieldRates& rates, const std::string& group);

// Steps may run behind: only losses() and store() wait for them. Not thread-safe.
class FieldOptimiser {
 public:
  virtual ~FieldOptimiser() = default;
  virtual void step(const FieldJob& job) = 0;
  // Means over the steps since the last call. Throws kInternal on NaN, naming the tensor.
  virtual FieldLosses losses() = 0;
  virtual int report_every() const = 0;
  virtual std::vector<ParameterGroup>& groups() = 0;
  // Writes parameters, Adam states and occupancy back into the avatar, the groups and the state.
  virtual void store() = 0;
  // Takes them from there.
  virtual void fetch() = 0;
};

// All arguments must outlive the optimiser; only it may change avatar and state, but between store() and fetch().
std::unique_ptr<FieldOptimiser> make_field_cpu_optimiser(FieldAvatar& avatar, FieldState& state,
                                                         const FieldTrainOptions& options, const SampleReader& reader,
                                                         const FieldPlan& plan);
std::unique_ptr<FieldOptimiser> make_field_cuda_optimiser(FieldAvatar& avatar, FieldState& state,
                                                          const FieldTrainOptions& options, const SampleReader& reader,
                                                          const FieldPlan& plan);

// Throws kInternal naming the first group that holds a value that is not a number.
void require_numbers(const std::vector<ParameterGroup>& groups, double loss, int step);

// What rendering need not ask for, from what so many pictures of the training split show: occupied cells and reach.
// False, and nothing changed, when `goes_on` (may be empty) said so on the way.
bool settle_field(FieldAvatar& avatar, const FieldState& state, const FieldPlan& plan, const SampleReader& reader,
                  int frames, const std::function<bool()>& goes_on);

constexpr float kExplore = 0.02f;             // share of samples where nothing is known to be
constexpr float kOccupancyDecay = 0.99f;      // a step
constexpr float kOccupancyThreshold = 10.0f;  // per metre

}  // namespace mien
