// Bad arguments of train, render, actor, head and eval.
#include <gtest/gtest.h>

#include <fstream>

#include "capture/small_capture.h"
#include "cli/program.h"
#include "cli/sounds.h"
#include "mien/base/json.h"
#include "mien/head/phone.h"
#include "mien/media/audio.h"
#include "mien/media/image.h"
#include "speech/emotion/acted_voice.h"
#include "speech/hubert/tiny_model.h"

namespace mien::testing_cli {
namespace {

namespace fs = std::filesystem;

TEST(Train, CapturesThatAreNone) {
  const Scratch scratch;
  const std::string out = (scratch / "x.mien").string();
  expect_refusal(mien({"train", (scratch / "absent").string(), "-q", "-o", out}), 3, {"absent"});
  const Capture capture = write_small_capture(scratch / "cap");
  expect_refusal(mien({"train", capture.folder.string(), "-q", "-o", (scratch / "x.txt").string()}), 2,
                 {"x.txt", ".mien"});
  expect_refusal(mien({"train", capture.folder.string(), "-q", "--renderer", "paint", "-o", out}), 2,
                 {"paint", "gaussians"});
  fs::remove(capture.folder / "one/F/images/000000.png");
  const Outcome missing = mien({"train", capture.folder.string(), "-q", "-o", out});
  EXPECT_EQ(missing.status, 3) << missing.err;
  EXPECT_EQ(missing.error_lines().size(), 1u) << missing.err;
  EXPECT_FALSE(fs::exists(out));
}

TEST(Train, SpeechStage) {
  const Scratch scratch;
  const std::string out = (scratch / "x.mien").string();
  const Capture capture = write_small_capture(scratch / "cap");
  const std::string folder = capture.folder.string();
  const auto train = [&](std::vector<std::string> more) {
    std::vector<std::string> all = {"train", folder, "-q", "--stage", "speech"};
    all.insert(all.end(), more.begin(), more.end());
    return mien(all);
  };
  expect_refusal(train({"-o", out, "--speech-head", "spline"}), 2, {"spline", "pca"});
  expect_refusal(train({"-o", out, "--speech-encoder", "ear"}), 2, {"ear", "phonetic"});
  expect_refusal(train({"-o", out, "--speech-encoder", "hubert"}), 2, {"--encoder-model"});
  expect_refusal(train({"-o", out, "--speech-steps", "0"}), 2, {"0 steps"});
  expect_refusal(train({"-o", (scratch / "x.txt").string()}), 2, {"x.txt", ".mien"});
  expect_refusal(train({"-o", out, "--speech-networks", (scratch / "absent").string()}), 3, {"absent"});
  expect_refusal(mien({"train", (scratch / "absent").string(), "-q", "--stage", "speech", "-o", out}), 3, {"absent"});
  EXPECT_FALSE(fs::exists(scratch / "x.speech.safetensors"));
}

TEST(Train, EmotionOfVoices) {
  const Scratch scratch;
  const std::string data = (scratch / "data").string();
  const std::string out = (scratch / "emotion.safetensors").string();
  testing::write_acted_voices(data, 2, 1, 0.8);
  const auto train = [&](std::vector<std::string> more) {
    std::vector<std::string> all = {"train", "emotion", data, "-q", "--steps", "2", "--batch", "2"};
    all.insert(all.end(), more.begin(), more.end());
    return mien(all);
  };
  expect_refusal(train({}), 2, {"--output"});
  expect_refusal(train({"-o", (scratch / "x.txt").string()}), 2, {"x.txt", ".safetensors"});
  expect_refusal(train({"-o", out, "--leave-out", "eva"}), 2, {"eva", "voice0, voice1"});
  expect_refusal(mien({"train", "emotion", (scratch / "absent").string(), "-q", "-o", out}), 3, {"absent"});
  EXPECT_FALSE(fs::exists(out));
  const Outcome trained = train({"-o", out, "--leave-out", "voice1", "--json"});
  ASSERT_EQ(trained.status, 0) << trained.err;
  const Json report = Json::parse(trained.out);
  EXPECT_EQ(report["files"], 10);
  EXPECT_EQ(report["scored"], 5);
  EXPECT_EQ(report["confusion"].size(), 5u);
  EXPECT_NE(train({"-o", out}).out.find("chance 20.0 %"), std::string::npos);
  const std::string wav = (scratch / "data/happy-1/voice0/0.wav").string();
  const Outcome heard = mien({"eval", "voice-emotion", wav, "--model", out, "--json"});
  ASSERT_EQ(heard.status, 0) << heard.err;
  const Json said = Json::parse(heard.out);
  EXPECT_EQ(said["labels"].size(), 5u);
  EXPECT_GE(said["keys"].size(), 1u);
  const Outcome spoken = mien({"speak", wav, "--emotion", "auto", "--emotion-model", out, "--size", "64x64", "--json",
                               "-o", (scratch / "out.mp4").string()});
  EXPECT_EQ(spoken.status, 0) << spoken.err;
  EXPECT_NEAR(Json::parse(spoken.out)["emotion_latency_seconds"].get<double>(), 1.586, 1e-3);
}

TEST(Train, NeedsACaptureAndAnOutput) {
  expect_refusal(mien({"train"}), 2, {"CAPTURE", "required"});
  expect_refusal(mien({"train", "cap/"}), 2, {"--output", "required"});
}

TEST(Render, WrongInputsAndOutputs) {
  const Scratch scratch;
  const std::string out = (scratch / "x.png").string();
  expect_refusal(mien({"render", (scratch / "no.safetensors").string(), "-q", "-o", out}), 3, {"no.safetensors"});
  expect_refusal(mien({"render", "-q", "--camera", "above", "-o", out}), 2, {"above", "front"});
  expect_refusal(mien({"render", "-q", "--avatar", "nobody", "-o", out}), 3, {"nobody", "ada"});
  expect_refusal(mien({"render", "-q", "-o", (scratch / "x.bmp").string()}), 2, {"x.bmp", ".png"});
  expect_refusal(mien({"render", "-q", "-o", (scratch / "absent/x.png").string()}), 4, {"absent"});
  EXPECT_EQ(scratch.names(), std::vector<std::string>{});
}

TEST(Render, ACaptureDrivesAnAvatar) {
  const Scratch scratch;
  const std::string cap = (scratch / "cap").string(), out = (scratch / "out.csv").string();
  const Outcome made =
      mien({"actor", "-q", "--rig", "mono", "--seconds", "1", "--fps", "5", "--size", "32", "-o", cap});
  ASSERT_EQ(made.status, 0) << made.err;
  const auto drive = [&](const std::string& from) { return mien({"render", "-q", "--drive", from, "-o", out}); };
  expect_refusal(drive((scratch / "absent").string()), 3, {"absent"});
  expect_refusal(drive(cap + ":nothing"), 2, {"nothing", "000"});
  expect_refusal(mien({"render", "-q", "take.csv", "--drive", cap, "-o", out}), 2, {"--drive"});
  EXPECT_FALSE(fs::exists(out));
  const Outcome driven = drive(cap + "/:000");
  EXPECT_EQ(driven.status, 0) << driven.err;
  EXPECT_GT(fs::file_size(out), 1000u);
}

TEST(Actor, UnknownNamesListThose) {
  const Scratch scratch;
  const std::string out = (scratch / "cap").string();
  expect_refusal(mien({"actor", "-q", "--person", "nobody", "-o", out}), 2, {"nobody", "ada"});
  expect_refusal(mien({"actor", "-q", "--emotion", "joyful", "-o", out}), 2, {"joyful", "happy"});
  expect_refusal(mien({"actor", "-q", "--rig", "balloon", "-o", out}), 2, {"balloon", "emotalk"});
  expect_refusal(mien({"actor", "-q", "--seconds", "-1", "-o", out}), 2, {"-1"});
  EXPECT_EQ(scratch.names(), std::vector<std::string>{});
}

TEST(Head, BuildFromNothing) {
  const Scratch scratch;
  const std::string out = (scratch / "head.safetensors").string();
  expect_refusal(mien({"head", "build", "--makehuman", (scratch / "absent").string(), "-o", out}), 3, {"absent"});
  expect_refusal(mien({"head", "build", "-o", out}), 2, {"--makehuman"});
  expect_refusal(mien({"head", "build", "--ict", "a", "--flame", "b", "-o", out}), 2, {"--flame"});
  expect_refusal(mien({"head", "build", "--ict", (scratch / "absent").string(), "-o", out}), 3,
                 {"absent", "generic_neutral_mesh.obj", "ICT-FaceKit"});
  const auto flame = [&](const std::string& bytes) {
    std::ofstream(scratch / "model.pkl", std::ios::binary) << bytes;
    return mien({"head", "build", "--flame", (scratch / "model.pkl").string(), "--landmarks", "l.npz", "-o", out});
  };
  expect_refusal(flame("cos\nsystem\n(S'false'\ntR."), 3, {"model.pkl", "os.system", "nothing was run"});
  expect_refusal(flame(""), 3, {"model.pkl"});
  fs::remove(scratch / "model.pkl");
  expect_refusal(mien({"head", "info", "--model", (scratch / "no.safetensors").string()}), 3, {"no.safetensors"});
  EXPECT_EQ(scratch.names(), std::vector<std::string>{});
}

TEST(Eval, PicturesAndTheirWeights) {
  const Scratch scratch;
  const std::string a = (scratch / "a.png").string();
  const std::string b = (scratch / "b.png").string();
  write_image(a, Image8(40, 40, 3, 90));
  write_image(b, Image8(40, 40, 3, 100));
  const Outcome good = mien({"eval", "images", a, b, "--json"});
  ASSERT_EQ(good.status, 0) << good.err;
  const Json mean = Json::parse(good.out)["mean"];
  EXPECT_NEAR(mean["psnr"].get<double>(), 28.1308, 1e-3);
  EXPECT_GT(mean["lpips"].get<double>(), 0);
  for (const char* key : {"ssim", "cpbd_a", "cpbd_b"}) EXPECT_TRUE(mean[key].is_number()) << key;
  expect_refusal(mien({"eval", "images", a, b, "--lpips-weights", (scratch / "w.safetensors").string()}), 3,
                 {"w.safetensors"});
  expect_refusal(mien({"eval", "images", a, b, "--lpips-weights", a}), 3, {"a.png", "safetensors"});
  expect_refusal(mien({"eval", "images", a, (scratch / "c.png").string()}), 3, {"c.png"});
  write_image(b, Image8(40, 41, 3, 100));
  expect_refusal(mien({"eval", "images", a, b}), 2, {"b.png", "40x41"});
}

TEST(Eval, AvatarBySpeechNeedsSound) {
  const Scratch scratch;
  Capture capture = write_small_capture(scratch / "cap");
  for (CaptureSequence& sequence : capture.sequences) sequence.audio.clear();
  capture.save();
  expect_refusal(mien({"eval", "avatar", "ada", "--capture", capture.folder.string(), "--motion", "speech"}), 3,
                 {"sequence two", "no audio", "tracked"});
  expect_refusal(mien({"eval", "avatar", "ada", "--capture", capture.folder.string(), "--motion", "dance"}), 2,
                 {"dance", "tracked", "speech"});
}

TEST(Eval, PhonesOfSilence) {
  const Scratch scratch;
  const std::string wav = (scratch / "a.wav").string();
  Audio audio;
  audio.samples.assign(16000, 0.0f);
  write_wav(wav, audio);
  const auto score = [&](const char* phone) {
    write_phones(scratch / "a.phone.json", {{phone, 0.1, 0.9}});
    const Outcome said = mien({"eval", "phones", wav, "--json"});
    EXPECT_EQ(said.status, 0) << said.err;
    return Json::parse(said.out);
  };
  EXPECT_EQ(score("SIL")["slots"], 40);
  EXPECT_EQ(score("SIL")["phones"], 100.0);
  EXPECT_EQ(score("AA")["phones"], 0.0);
  EXPECT_GT(score("AA")["log_loss"], 1.0);
  const Json closed = score("M");
  EXPECT_EQ(closed["P B M"]["count"], 1);
  EXPECT_EQ(closed["P B M"]["rows"][5]["found"], 0.0);
  expect_refusal(mien({"eval", "phones", (scratch / "b.wav").string()}), 3, {"b"});
}

TEST(Eval, FeaturesOfSpeech) {
  const Scratch scratch;
  const std::string wav = (scratch / "a.wav").string();
  Audio audio;
  audio.samples = testing::test_sound(16000);
  write_wav(wav, audio);
  testing::TinyModel model;
  model.make(1);
  model.write(scratch / "model");
  const std::string folder = (scratch / "model").string();
  const std::string out = (scratch / "f.safetensors").string();
  const Outcome good = mien({"eval", "features", wav, "--encoder", "hubert", "--model", folder, "--json", "-o", out});
  ASSERT_EQ(good.status, 0) << good.err;
  const Json said = Json::parse(good.out);
  EXPECT_EQ(said["features"], 49);
  EXPECT_EQ(said["width"], testing::TinyModel::kHidden);
  const auto values = SafetensorsFile::open(out).floats("features", {49, testing::TinyModel::kHidden});
  double sum = 0;
  for (const float v : values) sum += v;
  EXPECT_NEAR(said["mean"].get<double>(), sum / static_cast<double>(values.size()), 1e-5);
  for (const char* encoder : {"mel", "phonetic"}) {
    const Outcome other = mien({"eval", "features", wav, "--encoder", encoder, "--json"});
    ASSERT_EQ(other.status, 0) << other.err;
    EXPECT_EQ(Json::parse(other.out)["features"], 50) << encoder;
  }
  expect_refusal(mien({"eval", "features", wav, "--encoder", "ear"}), 2, {"ear", "phonetic", "hubert"});
  expect_refusal(mien({"eval", "features", wav, "--encoder", "hubert"}), 2, {"--model"});
  expect_refusal(mien({"eval", "features", wav, "--encoder", "hubert", "--model", (scratch / "absent").string()}), 3,
                 {"absent", "config.json", "save_pretrained"});
  expect_refusal(mien({"eval", "features", wav, "--encoder", "hubert", "--model", folder, "--device", "abacus"}), 5,
                 {"abacus", "cpu"});
}

TEST(Eval, EmotionOfAVoice) {
  const Scratch scratch;
  const std::string wav = (scratch / "a.wav").string();
  Audio audio;
  audio.samples = testing::test_sound(48000);
  write_wav(wav, audio);
  testing::TinyModel model;
  model.classifier = true;
  model.make(2);
  model.write(scratch / "model");
  const std::string keys = (scratch / "keys.json").string();
  const std::string folder = (scratch / "model").string();
  const Outcome good = mien({"eval", "voice-emotion", wav, "--model", folder, "--window", "1", "-o", keys});
  ASSERT_EQ(good.status, 0) << good.err;
  const EmotionTrack track = parse_emotion_track(keys);  // as `mien speak --emotion keys.json` reads it
  ASSERT_EQ(track.keys.size(), 3u);
  EXPECT_NEAR(track.keys[1].time, 1.5, 1e-9);
  for (int i = 0; i < 3; ++i) model.config["id2label"][std::to_string(i)] = fmt::format("LABEL_{}", i);
  model.write(scratch / "model");
  expect_refusal(mien({"eval", "voice-emotion", wav, "--model", folder}), 3, {"LABEL_0", "id2label"});
}

TEST(Capture, SubcommandsAreNamed) {
  expect_refusal(mien({"capture", "chekc"}), 2, {"chekc", "check"});
}

}  // namespace
}  // namespace mien::testing_cli
