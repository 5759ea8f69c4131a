#include "track/fit/shared_fit.h"

#include <Eigen/Cholesky>
#include <algorithm>
#include <cmath>

#include "mien/base/parallel.h"

namespace mien::fit {
namespace {

// Errors of landmarks are the same in all frames (a point MediaPipe sees elsewhere than we do), so frames do not count
// as independent: their sum weighs as this many.
constexpr double kEffectiveFrames = 0.2;
constexpr double kFocalDeviation = 0.35;  // of the logarithm
// Pictures do not tell how large a head is. People's pupils are 63 mm apart, give or take 4 (Dodgson 2004); our
// eyeballs' centres lie closer together than that by what the template says.
constexpr double kEyesDeviation = 0.0025;  // metres

struct Reduced {
  Eigen::MatrixXd h;
  Eigen::VectorXd b;
};

}  // namespace

Person person_of(const LandmarkModel& model, const Eigen::VectorXd& identity) {
  Person person;
  person.points = model.rest + model.identity * identity;
  person.expression = model.expression;
  for (std::size_t side = 0; side < 2; ++side) {
    person.eye[side] = model.eye[side] + model.eye_identity[side] * identity;
  }
  return person;
}

Eigen::VectorXd identity_deviation(const HeadModel& model) {
  Eigen::VectorXd deviation = Eigen::VectorXd::Constant(model.identity_count(), 0.25);
  for (int i = 0; i < model.identity_count(); ++i) {
    const std::string& name = model.identity_names[static_cast<std::size_t>(i)];
    if (name == "male" || name == "african" || name == "asian" || name == "caucasian") deviation[i] = 0.6;
    if (name == "old" || name == "weight" || name == "muscle") deviation[i] = 0.35;
  }
  return deviation;
}

void fit_shared(const LandmarkModel& model, const Eigen::VectorXd& deviation, const Eigen::VectorXd& offsets,
                const ExpressionPrior& prior, const SharedFitOptions& options, std::vector<KeyFrame>& frames,
                SharedState& shared) {
  const Eigen::Index modes = model.identity_count();
  const auto videos = static_cast<Eigen::Index>(shared.lenses.size());
  const Eigen::Index unknowns = modes + videos;
  std::vector<double> usual_focal;
  for (const Lens& lens : shared.lenses) usual_focal.push_back(lens.focal);
  for (int round = 0; round < options.rounds; ++round) {
    Person person = person_of(model, shared.identity);
    person.points += offsets;
    const auto count = static_cast<std::int64_t>(frames.size());
    FrameFitOptions frame_options;
    frame_options.iterations = round == 0 ? 10 : 3;
    frame_options.expression_prior = options.expression_prior;
    std::vector<Eigen::MatrixXd> locals(
        frames.size());  // step of the frame by the shared step; last column: on its own
    std::vector<std::vector<int>> moving(frames.size());
    std::vector<Reduced> reduced(frames.size());
    parallel_for(count, 1, [&](std::int64_t k) {
      const auto index = static_cast<std::size_t>(k);
      KeyFrame& frame = frames[index];
      const Lens& lens = shared.lenses[static_cast<std::size_t>(frame.video)];
      fit_gaze(person, *frame.sighting, lens, frame.state);
      lids_follow_gaze(frame.state);
      fit_frame(person, frame.seen, lens, prior, frame_options, frame.state);
      for (const int e : prior.free) {
        if (frame.state.weights[e] > 1e-6 && frame.state.weights[e] < 1 - 1e-6) moving[index].push_back(e);
      }
      Linearisation at;
      linearise(person, frame.seen, lens, moving[index], frame.state, at);
      Eigen::MatrixXd motion(3 * kMeshPoints, modes + 1);
      for (int i = 0; i < kMeshPoints; ++i) {
        motion.block(3 * i, 0, 3, modes).noalias() = frame.state.rotation * model.identity.middleRows<3>(3 * i);
        motion.block<3, 1>(3 * i, modes) = Eigen::Vector3d(at.seen_from_eye[3 * i], at.seen_from_eye[3 * i + 1], 0);
      }
      const Eigen::MatrixXd j = further_columns(at, motion);
      const Eigen::Index n = at.jacobian.cols();
      Eigen::MatrixXd ll = at.jacobian.transpose() * at.jacobian;
      Eigen::VectorXd bl = -(at.jacobian.transpose() * at.residual);
      prior.add_to(options.expression_prior, frame.state.weights, moving[index], 6, ll, bl);
      ll.diagonal() *= 1 + 1e-6;
      const Eigen::MatrixXd ls = at.jacobian.transpose() * j;  // [n, modes + 1]
      const Eigen::LLT<Eigen::MatrixXd> factor(ll);
      Eigen::MatrixXd both(n, modes + 2);
      both.leftCols(modes + 1) = -ls;
      both.col(modes + 1) = bl;
      locals[index] = factor.solve(both);
      reduced[index].h = j.transpose() * j + ls.transpose() * locals[index].leftCols(modes + 1);
      reduced[index].b = -(j.transpose() * at.residual) - ls.transpose() * locals[index].col(modes + 1);
    });
    Eigen::MatrixXd h = Eigen::MatrixXd::Zero(unknowns, unknowns);
    Eigen::VectorXd b = Eigen::VectorXd::Zero(unknowns);
    const double share = kEffectiveFrames / static_cast<double>(frames.size());
    for (std::size_t k = 0; k < frames.size(); ++k) {
      const Eigen::Index f = modes + frames[k].video;
      h.topLeftCorner(modes, modes) += share * reduced[k].h.topLeftCorner(modes, modes);
      h.block(0, f, modes, 1) += share * reduced[k].h.block(0, modes, modes, 1);
      h.block(f, 0, 1, modes) += share * reduced[k].h.block(modes, 0, 1, modes);
      h(f, f) += share * reduced[k].h(modes, modes);
      b.head(modes) += share * reduced[k].b.head(modes);
      b[f] += share * reduced[k].b[modes];
    }
    for (Eigen::Index i = 0; i < modes; ++i) {
      const double strength = options.identity_prior / (deviation[i] * deviation[i]);
      h(i, i) += strength;
      b[i] -= strength * shared.identity[i];
    }
    const Eigen::RowVectorXd apart = model.eye_identity[0].row(0) - model.eye_identity[1].row(0);
    h.topLeftCorner(modes, modes) += apart.transpose() * apart / (kEyesDeviation * kEyesDeviation);
    b.head(modes) -= apart.transpose() * apart.dot(shared.identity.transpose()) / (kEyesDeviation * kEyesDeviation);
    for (Eigen::Index v = 0; v < videos; ++v) {
      const auto video = static_cast<std::size_t>(v);
      if (shared.focal_given[video]) {
        h.row(modes + v).setZero();
        h.col(modes + v).setZero();
        h(modes + v, modes + v) = 1;
        b[modes + v] = 0;
      } else {
        const double strength = 1 / (kFocalDeviation * kFocalDeviation);
        h(modes + v, modes + v) += strength;
        b[modes + v] -= strength * std::log(shared.lenses[video].focal / usual_focal[video]);
      }
    }
    Eigen::VectorXd step = h.ldlt().solve(b);
    for (Eigen::Index v = 0; v < videos; ++v) step[modes + v] = std::clamp(step[modes + v], -0.4, 0.4);
    shared.identity += step.head(modes);
    for (Eigen::Index v = 0; v < videos; ++v)
      shared.lenses[static_cast<std::size_t>(v)].focal *= std::exp(step[modes + v]);
    for (std::size_t k = 0; k < frames.size(); ++k) {
      Eigen::VectorXd mine(modes + 2);
      mine.head(modes) = step.head(modes);
      mine[modes] = step[modes + frames[k].video];
      mine[modes + 1] = 1;
      const Eigen::VectorXd local = locals[k] * mine;
      FrameState& state = frames[k].state;
      state.rotation = exp_rotation(local.head<3>()) * state.rotation;
      state.translation += local.segment<3>(3);
      state.translation.z() = std::min(state.translation.z(), -0.05);
      for (std::size_t m = 0; m < moving[k].size(); ++m) {
        double& w = state.weights[moving[k][m]];
        w = std::clamp(w + local[static_cast<Eigen::Index>(6 + m)], 0.0, 1.0);
      }
    }
  }
}

}  // namespace mien::fit
