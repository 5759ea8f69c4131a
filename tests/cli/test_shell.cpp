// The command line itself: help, mistyped words, interrupts, doctor.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "cli/program.h"

namespace mien::testing_cli {
namespace {

TEST(Shell, VersionAndHelp) {
  const Outcome version = mien({"--version"});
  EXPECT_EQ(version.status, 0);
  EXPECT_TRUE(version.out.starts_with("mien ")) << version.out;
  const Outcome help = mien({"--help"});
  EXPECT_EQ(help.status, 0);
  EXPECT_NE(help.out.find("doctor"), std::string::npos) << help.out;
  EXPECT_EQ(help.err, "");
}

TEST(Shell, EveryCommandHasAnExample) {
  const std::string help = mien({"--help"}).out;
  std::size_t at = help.find("Subcommands:");
  ASSERT_NE(at, std::string::npos) << help;
  int commands = 0;
  for (at = help.find("\n  ", at); at != std::string::npos; at = help.find("\n  ", at + 3)) {
    if (help[at + 3] == ' ') continue;  // the continuation of a description
    const std::string name = help.substr(at + 3, help.find(' ', at + 3) - at - 3);
    if (name == "mien") break;  // the example at the end
    const Outcome one = mien({name, "--help"});
    EXPECT_EQ(one.status, 0) << name;
    EXPECT_NE(one.out.find("Example"), std::string::npos) << name << ": " << one.out;
    EXPECT_NE(one.out.find("mien " + name), std::string::npos) << name << ": " << one.out;
    ++commands;
  }
  EXPECT_GE(commands, 1);
}

TEST(Shell, MistypedWordsGetTheNearest) {
  expect_refusal(mien({"doctr"}), 2, {"doctr", "did you mean \"doctor\"?"});
  expect_refusal(mien({"doctor", "--jsn"}), 2, {"--jsn", "did you mean \"--json\"?"});
  expect_refusal(mien({"zzzzzzzz"}), 2, {"zzzzzzzz", "mien --help"});
}

TEST(Shell, BadValuesOfGlobalOptions) {
  expect_refusal(mien({"--threads", "minus", "doctor"}), 2, {"--threads", "minus"});
  expect_refusal(mien({"--threads", "-3", "doctor"}), 2, {"--threads", "-3"});
  expect_refusal(mien({"doctor", "--log-level", "loud"}), 2, {"--log-level", "loud", "debug"});
}

TEST(Doctor, SaysWhatIsMissingAndFails) {
  const Scratch empty;
  Invocation what;
  what.command = {mien_program(), "doctor", "--json"};
  what.environment = {"MIEN_MODELS=" + empty.path().string(), "MIEN_HEAD=" + (empty / "no.safetensors").string()};
  const Outcome outcome = run(what);
  EXPECT_EQ(outcome.status, 5) << outcome.err;
  ASSERT_EQ(outcome.error_lines().size(), 1u) << outcome.err;
  const auto report = nlohmann::json::parse(outcome.out);
  int missing = 0;
  for (const auto& finding : report.at("findings")) {
    const std::string state = finding.at("state");
    EXPECT_TRUE(state == "ok" || state == "warning" || state == "missing") << state;
    if (state != "ok") {
      EXPECT_NE(finding.at("mend"), "") << finding.dump();
    }
    missing += state == "missing";
    if (finding.at("name") == "avatar ada") {
      EXPECT_EQ(state, "missing");
    }
    if (finding.at("name") == "head model") {
      EXPECT_EQ(state, "warning");
    }
  }
  EXPECT_EQ(missing, 2);  // the avatar and the speech networks
}

TEST(Doctor, ThreadsAreSetEverywhere) {
  const Outcome outcome = mien({"doctor", "--threads", "1"});
  EXPECT_NE(outcome.out.find(", 1 thread(s) in use"), std::string::npos) << outcome.out;  // OpenMP
  EXPECT_NE(outcome.out.find("LibTorch"), std::string::npos) << outcome.out;
  const std::size_t torch = outcome.out.find("LibTorch");
  EXPECT_NE(outcome.out.substr(torch, 60).find(", 1 thread(s)"), std::string::npos) << outcome.out;
}

}  // namespace
}  // namespace mien::testing_cli
