#include <CLI/CLI.hpp>
#include <iostream>

#include "mien/base/error.h"
#include "mien/base/log.h"

int main(int argc, char** argv) {
  CLI::App app{"Mien turns recordings of a person into a 3D head that talks.", "mien"};
  app.require_subcommand(0);
  try {
    CLI11_PARSE(app, argc, argv);
  } catch (const mien::Error& error) {
    std::cerr << "mien: " << error.what() << "\n";
    return mien::exit_status(error.code());
  }
  return 0;
}
