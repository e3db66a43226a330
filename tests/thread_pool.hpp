// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <condition_variable>
#include <cstddef>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace unlearn::testing {

/// A plain pool of threads, as programs have them: it was not written for the library, takes its
/// tasks as std::function, and knows nothing of exceptions.
class ThreadPool {
 public:
  explicit ThreadPool(std::size_t threads) {
    for (std::size_t i = 0; i < threads; ++i) {
      threads_.emplace_back([this] { work(); });
    }
  }
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;
  ~ThreadPool() {
    {
      const std::scoped_lock lock(mutex_);
      stopping_ = true;
    }
    wake_.notify_all();
    for (std::thread& thread : threads_) thread.join();
  }

  [[nodiscard]] std::size_t size() const { return threads_.size(); }

  void for_each(std::size_t n, const std::function<void(std::size_t)>& task) {
    std::unique_lock lock(mutex_);
    ++uses_;
    task_ = task;
    next_ = 0;
    end_ = n;
    left_ = n;
    wake_.notify_all();
    done_.wait(lock, [this] { return left_ == 0; });
  }

  /// How often for_each was called.
  [[nodiscard]] std::size_t uses() const { return uses_; }

 private:
  void work() {
    std::unique_lock lock(mutex_);
    while (true) {
      wake_.wait(lock, [this] { return stopping_ || next_ < end_; });
      if (stopping_) return;
      const std::size_t mine = next_++;
      const auto task = task_;  // a copy of its own
      lock.unlock();
      task(mine);
      lock.lock();
      if (--left_ == 0) done_.notify_one();
    }
  }

  std::mutex mutex_;
  std::condition_variable wake_;
  std::condition_variable done_;
  std::function<void(std::size_t)> task_;
  std::size_t next_ = 0;
  std::size_t end_ = 0;
  std::size_t left_ = 0;
  std::size_t uses_ = 0;
  bool stopping_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace unlearn::testing
