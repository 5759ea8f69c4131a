#include "motion/tuning/tuner.h"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>
#include <torch/cuda.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <numbers>

#include "mien/base/error.h"
#include "mien/base/file.h"
#include "mien/base/hash.h"
#include "mien/base/log.h"
#include "mien/base/random.h"
#include "mien/base/safetensors.h"
#include "mien/head/phone.h"
#include "mien/motion/s2gnet.h"
#include "motion/training/json_log.h"
#include "motion/training/losses.h"

namespace mien {
namespace {

constexpr const char* kCheckpointFormat = "mien-speech-tuning-1";
constexpr int kWarmUp = 10;  // frames at the beginning of a stretch that the state needs to settle
constexpr int kMostPcaFrames = 400;

double now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

at::Tensor tensor_of(const std::vector<float>& values, at::IntArrayRef shape) {
  return at::from_blob(const_cast<float*>(values.data()), shape, at::kFloat).clone();
}

const char* phone_kind(int phone) {
  if (phone < 0) return "unknown";
  const std::string name = kPhoneNames[phone];
  if (name == "SIL") return "silence";
  if (name == "P" || name == "B" || name == "M") return "bilabial";
  if (name == "F" || name == "V") return "labiodental";
  return "other";
}

struct Pair {
  at::Tensor stacked, weights, offsets, emotion;  // [K, ...] on the CPU
};
struct Batch {
  at::Tensor stacked, weights, offsets, emotion, known;
};

class Tuner {
 public:
  Tuner(const MotionPairs& pairs, const S2GSettings& settings, const SpeechTuningOptions& options,
        std::filesystem::path out)
      : pairs_(pairs),
        options_(options),
        out_(std::move(out)),
        device_(choose_device(options.device)),
        encoder_(0),
        s2g_(settings, static_cast<int>(pairs.expression_names.size()), options.dropout),
        lip_loss_(pairs.lips, static_cast<int>(pairs.expression_names.size()), at::zeros({1}, at::device(device_))),
        log_(options.log) {
    load_speech_networks(options.init, encoder_, s2g_);
    upload_pairs();
    set_up_head();
    s2g_->to(device_);
    for (const auto& item : s2g_->named_parameters()) {
      names_.push_back(item.key());
      parameters_.push_back(item.value());
      first_.push_back(at::zeros_like(item.value()));
      second_.push_back(at::zeros_like(item.value()));
    }
    const std::vector<float> known(pairs.known.begin(), pairs.known.end());
    known_weights_ = tensor_of(known, {1, 1, static_cast<std::int64_t>(known.size())}).to(device_);
    person_ = at::zeros({1, 1, static_cast<std::int64_t>(settings.persons.size())});
    person_.select(2, settings.person_index("")).fill_(1.0);
    person_ = person_.to(device_);
  }

  SpeechTuningReport run() {
    SpeechTuningReport report;
    report.device = device_.str();
    report.person = s2g_->settings().person;
    report.held_out = std::any_of(pairs_.pairs.begin(), pairs_.pairs.end(), [](const MotionPair& p) { return p.test; });
    int step = 0;
    if (!options_.checkpoint.empty() && std::filesystem::exists(options_.checkpoint)) {
      step = load_checkpoint();
      spdlog::info("going on from step {} of {}", step, options_.checkpoint.string());
    } else {
      before_mm_ = validate().first;
      log_.add({{"person", report.person},
                {"device", report.device},
                {"settings", fingerprint()},
                {"lip_mm_before", before_mm_}});
    }
    const double start = now() - spent_;
    double loss = 0;
    for (; step < options_.steps; ++step) {
      loss = train_step(step);
      spent_ = now() - start;
      const bool last = step + 1 == options_.steps;
      if ((step + 1) % options_.report_every == 0 || last) {
        log_.add({{"step", step + 1}, {"loss", loss}, {"seconds", spent_}});
      }
      const bool go_on =
          !options_.progress || options_.progress(step + 1, options_.steps, fmt::format("loss {:.3f}", loss));
      if (!last && (!go_on || (step + 1) % options_.save_every == 0)) save_checkpoint(step + 1);
      if (!go_on && !last) {
        report.steps = step + 1;
        report.seconds = spent_;
        return report;
      }
    }
    const auto [millimetres, by_phones] = validate();
    report.lip_mm_before = before_mm_;
    report.lip_mm = millimetres;
    report.by_phones = by_phones;
    report.steps = options_.steps;
    report.seconds = spent_;
    report.finished = true;
    log_.add({{"validation",
               {{"held_out", report.held_out},
                {"lip_mm_before", before_mm_},
                {"lip_mm", millimetres},
                {"lip_mm_by_phones", by_phones}}}});
    save(report);
    if (!options_.checkpoint.empty()) std::filesystem::remove(options_.checkpoint);
    return report;
  }

 private:
  static at::Device choose_device(const std::string& name) {
    if (name == "cpu") return at::Device(at::kCPU);
    if (name != "auto" && name != "cuda") {
      throw Error(ErrorCode::kBadArgument, fmt::format("device \"{}\"", name), "use auto, cpu or cuda");
    }
    if (torch::cuda::is_available()) return at::Device(at::kCUDA, 0);
    if (name == "auto") return at::Device(at::kCPU);
    throw Error(ErrorCode::kMissingFeature, "there is no CUDA device", "use --device cpu");
  }

  void upload_pairs() {
    const auto expressions = static_cast<std::int64_t>(pairs_.expression_names.size());
    const auto moving = static_cast<std::int64_t>(pairs_.moving.size());
    for (const MotionPair& p : pairs_.pairs) {
      data_.push_back({tensor_of(p.stacked, {p.frames, 2 * pairs_.width}),
                       tensor_of(p.weights, {p.frames, expressions}),
                       moving == 0 ? at::Tensor() : tensor_of(p.offsets, {p.frames, 3 * moving}),
                       tensor_of(p.emotion, {p.frames, kEmotionCount})});
    }
  }

  // The vertices that have offsets, their basis, and how much each counts.
  void set_up_head() {
    const at::NoGradGuard no_grad;
    if (pairs_.whole_geometry) {  // the weights have nothing to say
      for (const auto& item : s2g_->named_parameters()) {
        if (item.key().starts_with("head.")) item.value().zero_();
      }
    }
    if (s2g_->settings().head == S2GHead::kWeights) return;
    at::Tensor basis;
    if (s2g_->settings().head == S2GHead::kPca) {
      std::vector<at::Tensor> train;
      for (std::size_t i = 0; i < data_.size(); ++i) {
        if (!pairs_.pairs[i].test) train.push_back(data_[i].offsets);
      }
      const at::Tensor all = at::cat(train, 0);
      const std::int64_t every = std::max<std::int64_t>(1, (all.size(0) + kMostPcaFrames - 1) / kMostPcaFrames);
      basis = pca_basis(all.slice(0, 0, all.size(0), every), s2g_->settings().components);
    }
    s2g_->set_offsets(pairs_.moving, basis);
    std::vector<float> weight(pairs_.moving.size(), 1.0f);
    for (std::size_t i = 0; i < pairs_.lip_moving.size(); ++i) {
      const bool lip = static_cast<int>(i) < pairs_.lips.lip_vertices;
      if (pairs_.lip_moving[i] >= 0) weight[pairs_.lip_moving[i]] = lip ? 6.0f : 2.0f;
    }
    float sum = 0;
    for (const float w : weight) sum += w;
    for (float& w : weight) w /= 3 * sum;
    vertex_weight_ = tensor_of(weight, {static_cast<std::int64_t>(weight.size())}).repeat_interleave(3).to(device_);
  }

  Batch sample(int step) const {
    const auto frames = static_cast<std::int64_t>(std::lround(options_.seconds * kS2GRate));
    std::int64_t total = 0;
    for (const MotionPair& p : pairs_.pairs) total += p.test ? 0 : p.frames;
    Random random(options_.seed * 0x9e3779b97f4a7c15ULL + static_cast<std::uint64_t>(step), 3);
    std::vector<at::Tensor> stacked, weights, offsets, emotion, known;
    for (int b = 0; b < options_.batch; ++b) {
      std::int64_t at = random.below(static_cast<std::uint32_t>(total));
      std::size_t which = 0;
      while (pairs_.pairs[which].test || at >= pairs_.pairs[which].frames) {
        at -= pairs_.pairs[which].test ? 0 : pairs_.pairs[which].frames;
        ++which;
      }
      const std::int64_t own = pairs_.pairs[which].frames;
      const std::int64_t begin = own <= frames ? 0 : random.below(static_cast<std::uint32_t>(own - frames + 1));
      const auto cut = [&](const at::Tensor& all) {
        at::Tensor part = all.narrow(0, begin, std::min(frames, own));
        if (own >= frames) return part;
        return at::cat({part, part.narrow(0, own - 1, 1).expand({frames - own, part.size(1)})}, 0);
      };
      stacked.push_back(cut(data_[which].stacked));
      weights.push_back(cut(data_[which].weights));
      emotion.push_back(cut(data_[which].emotion));
      if (data_[which].offsets.defined()) offsets.push_back(cut(data_[which].offsets));
      at::Tensor knows = at::zeros({frames});
      const std::int64_t from = begin == 0 ? 0 : std::min<std::int64_t>(kWarmUp, frames - 1);
      const std::int64_t count = std::min(frames, own) - from;
      std::vector<float> seen;
      for (std::int64_t k = begin + from; k < begin + from + count; ++k)
        seen.push_back(pairs_.pairs[which].seen_at(static_cast<int>(k)) ? 1.0f : 0.0f);
      knows.narrow(0, from, count).copy_(tensor_of(seen, {count}));
      known.push_back(knows);
    }
    return {at::stack(stacked).to(device_), at::stack(weights).to(device_),
            offsets.empty() ? at::Tensor() : at::stack(offsets).to(device_), at::stack(emotion).to(device_),
            at::stack(known).to(device_)};
  }

  // Huber on weighted vertices, on their velocity and acceleration, millimetres.
  at::Tensor offset_loss(const at::Tensor& predicted, const at::Tensor& truth, const at::Tensor& known) const {
    const auto cost = [&](const at::Tensor& difference, const at::Tensor& mask, double delta) {
      const at::Tensor size = difference.abs();
      const at::Tensor each = at::where(size < delta, 0.5 / delta * size * size, size - 0.5 * delta);
      return (at::matmul(each, vertex_weight_) * mask).sum() / mask.sum().clamp_min(1.0);
    };
    const auto change = [](const at::Tensor& x) {
      return x.narrow(1, 1, x.size(1) - 1) - x.narrow(1, 0, x.size(1) - 1);
    };
    const auto both = [](const at::Tensor& x) { return x.narrow(1, 1, x.size(1) - 1) * x.narrow(1, 0, x.size(1) - 1); };
    const at::Tensor difference = predicted - truth;
    const at::Tensor velocity = change(difference);
    const at::Tensor known_velocity = both(known);
    const MotionLossOptions o;
    return 3.0 * (cost(difference, known, 1.0) + o.velocity * cost(velocity, known_velocity, 0.5) +
                  o.acceleration * cost(change(velocity), both(known_velocity), 0.5));
  }

  double train_step(int step) {
    const Batch batch = sample(step);
    // Dropout is drawn from the step alone, so that a run that goes on draws the same.
    at::manual_seed(options_.seed * 1000003 + static_cast<std::uint64_t>(step));
    s2g_->train();
    s2g_->zero_grad();
    const S2GOutput output = s2g_->run_stacked(batch.stacked, batch.emotion, person_);
    at::Tensor loss = at::zeros({}, at::device(device_));
    if (!pairs_.whole_geometry) {
      const at::Tensor channels = known_weights_.expand_as(batch.weights);
      loss = loss + lip_loss_(output.weights, batch.weights, batch.known, {}, channels).total;
    }
    if (output.offsets.defined()) loss = loss + offset_loss(output.offsets, batch.offsets, batch.known);
    const double value = loss.item<double>();
    if (!std::isfinite(value)) stop_for_nan(step, output);
    loss.backward();
    update(step);
    return value;
  }

  [[noreturn]] void stop_for_nan(int step, const S2GOutput& output) const {
    std::string where = output.weights.isfinite().all().item<bool>() ? "the loss" : "the expression weights";
    for (std::size_t i = 0; i < parameters_.size(); ++i) {
      if (!parameters_[i].isfinite().all().item<bool>()) where = names_[i];
    }
    for (std::size_t i = 0; i < data_.size(); ++i) {
      if (!data_[i].weights.isfinite().all().item<bool>()) where = "the motion of sequence " + pairs_.pairs[i].id;
    }
    throw Error(ErrorCode::kBadFile, fmt::format("step {}: {} is not a number", step, where),
                "mend the motion, or lower the learning rate");
  }

  // AdamW (Loshchilov and Hutter 2019), the joint norm of the gradients at most 2.
  void update(int step) {
    const at::NoGradGuard no_grad;
    const double progress = static_cast<double>(step) / options_.steps;
    const double rate = options_.rate * std::min(1.0, progress / 0.03 + 0.02) *
                        (0.01 + 0.495 * (1 + std::cos(std::numbers::pi * progress)));
    constexpr double kBeta1 = 0.9, kBeta2 = 0.98, kDecay = 0.01, kEpsilon = 1e-8;
    std::vector<at::Tensor> norms;
    for (const at::Tensor& p : parameters_) {
      if (p.grad().defined()) norms.push_back(p.grad().norm());
    }
    const at::Tensor scale = (2.0 / (at::stack(norms).norm() + 1e-6)).clamp_max(1.0);
    const double correct1 = 1 - std::pow(kBeta1, step + 1);
    const double correct2 = 1 - std::pow(kBeta2, step + 1);
    for (std::size_t i = 0; i < parameters_.size(); ++i) {
      if (!parameters_[i].grad().defined()) continue;
      const at::Tensor g = parameters_[i].grad() * scale;
      first_[i].mul_(kBeta1).add_(g, 1 - kBeta1);
      second_[i].mul_(kBeta2).addcmul_(g, g, 1 - kBeta2);
      parameters_[i].mul_(1 - rate * kDecay);
      parameters_[i].addcdiv_(first_[i], (second_[i] / correct2).sqrt().add_(kEpsilon), -rate / correct1);
    }
  }

  // Mean lip vertex error over whole sequences, in all and by kind of phone.
  std::pair<double, Json> validate() {
    const at::NoGradGuard no_grad;
    s2g_->eval();
    const bool held_out =
        std::any_of(pairs_.pairs.begin(), pairs_.pairs.end(), [](const MotionPair& p) { return p.test; });
    std::map<std::string, std::pair<double, std::int64_t>> kinds;
    for (std::size_t i = 0; i < data_.size(); ++i) {
      if (held_out && !pairs_.pairs[i].test) continue;
      const S2GOutput output = s2g_->run_stacked(data_[i].stacked.unsqueeze(0).to(device_),
                                                 data_[i].emotion.unsqueeze(0).to(device_), person_);
      const at::Tensor errors = lip_errors(output, data_[i]).to(at::kCPU).contiguous();
      for (int k = 0; k < pairs_.pairs[i].frames; ++k) {
        if (!pairs_.pairs[i].seen_at(k)) continue;
        for (const char* kind : {"all", phone_kind(pairs_.pairs[i].phones[k])}) {
          kinds[kind].first += errors.data_ptr<float>()[k];
          ++kinds[kind].second;
        }
      }
    }
    Json by_phones = Json::object();
    for (const auto& [kind, sum] : kinds) {
      if (kind != "all") by_phones[kind] = sum.first / static_cast<double>(sum.second);
    }
    const auto all = kinds.find("all");
    return {all == kinds.end() ? 0.0 : all->second.first / static_cast<double>(all->second.second), by_phones};
  }

  // [K] millimetres: what weights and offsets do to the lips together, against the truth.
  at::Tensor lip_errors(const S2GOutput& output, const Pair& truth) const {
    const std::int64_t lips = pairs_.lips.lip_vertices;
    at::Tensor difference = (output.weights[0] - truth.weights.to(device_)) * known_weights_[0];
    const at::Tensor basis = tensor_of(pairs_.lips.basis, {static_cast<std::int64_t>(pairs_.expression_names.size()),
                                                           3 * pairs_.lips.vertices})
                                 .narrow(1, 0, 3 * lips)
                                 .to(device_) *
                             1000.0;
    at::Tensor moved = at::matmul(difference, basis).reshape({-1, lips, 3});
    if (output.offsets.defined()) {
      const at::Tensor offsets = (output.offsets[0] - truth.offsets.to(device_)).reshape({moved.size(0), -1, 3});
      for (std::int64_t v = 0; v < lips; ++v) {
        const std::int32_t at = pairs_.lip_moving[v];
        if (at >= 0) moved.select(1, v).add_(offsets.select(1, at));
      }
    }
    return moved.norm(2, -1).mean(-1);
  }

  std::string fingerprint() const {
    return Json({{"settings", s2g_settings_json(s2g_->settings())},
                 {"init", fnv1a(read_file(options_.init))},
                 {"capture", pairs_.fingerprint},
                 {"steps", options_.steps},
                 {"batch", options_.batch},
                 {"seconds", options_.seconds},
                 {"rate", options_.rate},
                 {"dropout", options_.dropout},
                 {"seed", options_.seed}})
        .dump();
  }

  void save_checkpoint(int step) const {
    if (options_.checkpoint.empty()) return;
    SafetensorsWriter out;
    out.metadata("format", kCheckpointFormat);
    out.metadata("run", fingerprint());
    out.metadata("progress", Json({{"step", step}, {"spent", spent_}, {"before_mm", before_mm_}}).dump());
    const auto add = [&](const std::string& name, const at::Tensor& tensor) {
      const at::Tensor value = tensor.detach().to(at::kCPU, at::kFloat).contiguous();
      out.add(name, value.sizes().vec(), {value.data_ptr<float>(), static_cast<std::size_t>(value.numel())});
    };
    for (std::size_t i = 0; i < names_.size(); ++i) {
      add("parameter." + names_[i], parameters_[i]);
      add("first." + names_[i], first_[i]);
      add("second." + names_[i], second_[i]);
    }
    out.write(options_.checkpoint);
  }

  int load_checkpoint() {
    const at::NoGradGuard no_grad;
    const SafetensorsFile file = SafetensorsFile::open(options_.checkpoint);
    const auto meta = [&](const char* key) {
      const auto found = file.metadata().find(key);
      return found == file.metadata().end() ? std::string() : found->second;
    };
    if (meta("format") != kCheckpointFormat) {
      throw Error(ErrorCode::kBadFile, options_.checkpoint.string() + ": not a checkpoint of speech training",
                  "remove it or use --restart");
    }
    if (meta("run") != fingerprint()) {
      throw Error(ErrorCode::kBadArgument,
                  options_.checkpoint.string() + ": belongs to another capture, other networks or other options",
                  "use what it was begun with, or --restart");
    }
    for (std::size_t i = 0; i < names_.size(); ++i) {
      const auto read = [&](const char* kind, at::Tensor& into) {
        into.copy_(tensor_of(file.floats(kind + names_[i], into.sizes().vec()), into.sizes()));
      };
      read("parameter.", parameters_[i]);
      read("first.", first_[i]);
      read("second.", second_[i]);
    }
    const Json progress = Json::parse(meta("progress"), nullptr, false);
    const std::string where = options_.checkpoint.string() + ": progress";
    spent_ = get_field<double>(progress, "spent", where);
    before_mm_ = get_field<double>(progress, "before_mm", where);
    return std::clamp(get_field<int>(progress, "step", where), 0, options_.steps);
  }

  void save(const SpeechTuningReport& report) {
    const SafetensorsFile init = SafetensorsFile::open(options_.init);
    std::map<std::string, std::string> metadata = init.metadata();
    metadata["tuned_for"] = report.person;
    metadata["tuned_steps"] = fmt::format("{}", report.steps);
    save_speech_networks(out_, encoder_, s2g_, pairs_.expression_names, metadata);
  }

  const MotionPairs& pairs_;
  SpeechTuningOptions options_;
  std::filesystem::path out_;
  at::Device device_;
  EncoderModule encoder_;
  S2GModule s2g_;
  LipLoss lip_loss_;
  JsonLog log_;
  std::vector<Pair> data_;
  at::Tensor known_weights_, vertex_weight_, person_;
  std::vector<std::string> names_;
  std::vector<at::Tensor> parameters_, first_, second_;
  double spent_ = 0, before_mm_ = 0;
};

}  // namespace

at::Tensor pca_basis(const at::Tensor& frames, int components) {
  const at::NoGradGuard no_grad;
  const at::Tensor rows = frames.to(at::kDouble);
  const auto count = static_cast<double>(rows.size(0));
  // X = U S V^T. The rows of V^T, scaled by S / sqrt(T), from the eigenvectors of X X^T, which is smaller.
  const auto [values, vectors] = at::linalg_eigh(at::matmul(rows, rows.t()));
  const std::int64_t kept = std::min<std::int64_t>(components, rows.size(0));
  const at::Tensor best = vectors.narrow(1, rows.size(0) - kept, kept).flip(1);
  const at::Tensor basis = at::matmul(best.t(), rows) / std::sqrt(count);
  at::Tensor out = at::zeros({components, rows.size(1)});
  out.narrow(0, 0, kept).copy_(basis);
  return out.to(at::kHalf).to(at::kFloat);
}

SpeechTuningReport tune_on_pairs(const MotionPairs& pairs, S2GSettings settings, const SpeechTuningOptions& options,
                                 const std::filesystem::path& out) {
  check_tuning_options(options);
  if (settings.head != S2GHead::kWeights) {
    settings.vertices = pairs.vertices;
    settings.moving_vertices = static_cast<int>(pairs.moving.size());
    settings.components = 0;
    if (settings.head == S2GHead::kPca) {
      std::int64_t frames = 0;
      for (const MotionPair& p : pairs.pairs) frames += p.test ? 0 : p.frames;
      settings.components = static_cast<int>(
          std::min<std::int64_t>(options.components, std::min<std::int64_t>(frames, kMostPcaFrames / 2)));
    }
  }
  at::manual_seed(options.seed);  // of what the net begins with
  Tuner tuner(pairs, settings, options, out);
  return tuner.run();
}

}  // namespace mien
