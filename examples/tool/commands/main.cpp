// SPDX-License-Identifier: Apache-2.0
//
// The command-line tool `unlearn`.

#include <c10/util/Exception.h>
#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <exception>

#include "clip/encoder/freed_memory.hpp"
#include "tool/commands/commands.hpp"
#include "tool/commands/stop_signals.hpp"
#include "unlearn/core/version.hpp"

int main(int argc, char** argv) {
  CLI::App app(
      "Makes image-caption pairs unlearnable by Multi-step Error Minimization, and measures it.",
      "unlearn");
  app.set_version_flag("--version", unlearn::version);
  app.require_subcommand(1);
  app.footer("`unlearn COMMAND --help` says what a command takes.");
  unlearn::tool::add_protect(app);
  unlearn::tool::add_verify(app);
  unlearn::tool::add_train(app);
  unlearn::tool::add_evaluate(app);
  unlearn::tool::add_reproduce(app);
  unlearn::tool::add_report(app);
  unlearn::tool::add_draw(app);
  unlearn::tool::add_tokenize(app);
  // A limit on the size of files is then an error of the write, as a full disk is.
  std::signal(SIGXFSZ, SIG_IGN);
  try {
    unlearn::clip::keep_freed_memory();
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error);
  } catch (const unlearn::tool::Interrupted&) {
    std::fprintf(stderr, "unlearn: stopped by a signal; the same command with --resume goes on\n");
    return 130;
  } catch (const c10::Error& error) {
    std::fprintf(stderr, "unlearn: %s\n", error.what_without_backtrace());
    return EXIT_FAILURE;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "unlearn: %s\n", error.what());
    return EXIT_FAILURE;
  }
  return EXIT_SUCCESS;
}
