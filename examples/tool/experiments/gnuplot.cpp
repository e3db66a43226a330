// SPDX-License-Identifier: Apache-2.0
#include "tool/experiments/gnuplot.hpp"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <system_error>

#include "unlearn/core/error.hpp"

namespace unlearn::tool::experiments {
namespace {

[[noreturn]] void throw_failure(std::string_view expected, int error) {
  throw Error(expectation("gnuplot", expected, std::system_category().message(error)));
}

/// One end of a channel to the child.
class End {
 public:
  End() = default;
  explicit End(int fd) : fd_(fd) {}
  End(const End&) = delete;
  End& operator=(const End&) = delete;
  ~End() { close(); }
  void reset(int fd) {
    close();
    fd_ = fd;
  }
  void close() {
    if (fd_ >= 0) ::close(fd_);
    fd_ = -1;
  }
  [[nodiscard]] int get() const { return fd_; }

 private:
  int fd_ = -1;
};

/// Sockets rather than pipes: a write to a child that is gone then reports an error, where a pipe
/// would send this process a signal.
struct Channel {
  Channel() {
    std::array<int, 2> ends{};
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0) {
      throw_failure("a channel to it", errno);
    }
    ours.reset(ends[0]);
    childs.reset(ends[1]);
  }
  End ours;
  End childs;
};

class Child {
 public:
  /// Its standard input and output are one channel, its standard error another.
  Child(Channel& data, Channel& complaints) {
    posix_spawn_file_actions_t actions{};
    int error = ::posix_spawn_file_actions_init(&actions);
    if (error != 0) throw_failure("to start it", error);
    ::posix_spawn_file_actions_adddup2(&actions, data.childs.get(), STDIN_FILENO);
    ::posix_spawn_file_actions_adddup2(&actions, data.childs.get(), STDOUT_FILENO);
    ::posix_spawn_file_actions_adddup2(&actions, complaints.childs.get(), STDERR_FILENO);
    std::string name = "gnuplot";
    std::string defaults = "-d";  // not the user's ~/.gnuplot
    const std::array<char*, 3> arguments{name.data(), defaults.data(), nullptr};
    error = ::posix_spawnp(&id_, name.c_str(), &actions, nullptr, arguments.data(), environ);
    ::posix_spawn_file_actions_destroy(&actions);
    if (error != 0) {
      throw_failure("it to be installed (on Debian: apt-get install gnuplot-nox)", error);
    }
    data.childs.close();
    complaints.childs.close();
  }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;
  ~Child() { wait(); }

  /// Whether it ended well.
  bool wait() {
    while (id_ > 0 && ::waitpid(id_, &status_, 0) < 0) {
      if (errno != EINTR) break;
    }
    id_ = 0;
    return WIFEXITED(status_) && WEXITSTATUS(status_) == 0;
  }

 private:
  pid_t id_ = 0;
  int status_ = -1;
};

/// Appends what has come; false at its end.
bool receive(int fd, std::string& text) {
  std::array<char, 1U << 14U> buffer{};
  const auto got = ::recv(fd, buffer.data(), buffer.size(), 0);
  if (got > 0) text.append(buffer.data(), static_cast<std::size_t>(got));
  return got > 0 || (got < 0 && errno == EINTR);
}

}  // namespace

std::string run_gnuplot(std::string_view script) {
  std::string output;
  std::string complaint;
  Channel data;
  Channel complaints;
  Child child(data, complaints);
  std::array<pollfd, 2> watched{{{.fd = data.ours.get(), .events = POLLIN | POLLOUT, .revents = 0},
                                 {.fd = complaints.ours.get(), .events = POLLIN, .revents = 0}}};
  while (watched[0].fd >= 0 || watched[1].fd >= 0) {
    if (::poll(watched.data(), watched.size(), -1) < 0) {
      if (errno == EINTR) continue;
      throw_failure("to hear from it", errno);
    }
    if ((watched[0].revents & POLLOUT) != 0) {
      const auto sent =
          ::send(watched[0].fd, script.data(), script.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
      if (sent > 0) script.remove_prefix(static_cast<std::size_t>(sent));
      const bool failed = sent < 0 && errno != EAGAIN && errno != EINTR;
      if (script.empty() || failed) {
        watched[0].events = POLLIN;
        ::shutdown(watched[0].fd, SHUT_WR);
      }
    }
    if ((watched[0].revents & (POLLIN | POLLHUP | POLLERR)) != 0 &&
        !receive(watched[0].fd, output)) {
      watched[0].fd = -1;
    }
    if ((watched[1].revents & (POLLIN | POLLHUP | POLLERR)) != 0 &&
        !receive(watched[1].fd, complaint)) {
      watched[1].fd = -1;
    }
  }
  if (!child.wait()) {
    throw Error(
        expectation("gnuplot", "to draw a figure", complaint.empty() ? "a failure" : complaint));
  }
  return output;
}

std::string gnuplot_string(std::string_view text) {
  std::string quoted = "'";
  for (const char c : text) {
    if (c == '\'') quoted += '\'';
    const bool control = static_cast<unsigned char>(c) < 0x20 || c == 0x7F;
    quoted += control ? ' ' : c;
  }
  return quoted + "'";
}

}  // namespace unlearn::tool::experiments
