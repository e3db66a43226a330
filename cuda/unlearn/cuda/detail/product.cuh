// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <concepts>
#include <cstddef>
#include <type_traits>

#include "unlearn/core/matrix.hpp"
#include "unlearn/core/tensor_view.hpp"
#include "unlearn/cuda/queue.cuh"

namespace unlearn::cuda::detail {

/// Whether a factor of a product is taken transposed.
enum class Op { plain, transposed };

#if THRUST_DEVICE_SYSTEM == THRUST_DEVICE_SYSTEM_CUDA
inline cublasStatus_t gemm(cublasHandle_t handle, cublasOperation_t a_op, cublasOperation_t b_op,
                           int m, int n, int k, const float* alpha, const float* a, int lda,
                           const float* b, int ldb, const float* beta, float* c, int ldc) {
  return cublasSgemm(handle, a_op, b_op, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
}
inline cublasStatus_t gemm(cublasHandle_t handle, cublasOperation_t a_op, cublasOperation_t b_op,
                           int m, int n, int k, const double* alpha, const double* a, int lda,
                           const double* b, int ldb, const double* beta, double* c, int ldc) {
  return cublasDgemm(handle, a_op, b_op, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
}
#endif

/// out ← factor · op(a) · op(b), row-major: by cuBLAS on CUDA, by Eigen on the host.
template <Op op_a, Op op_b, class P, class A, std::floating_point T>
void multiply([[maybe_unused]] const Queue<P, A>& queue, T factor, View<const T, 2> a,
              View<const std::type_identity_t<T>, 2> b, View<std::type_identity_t<T>, 2> out) {
  if (out.size() == 0) return;
  if constexpr (Queue<P, A>::on_cuda) {
#if THRUST_DEVICE_SYSTEM == THRUST_DEVICE_SYSTEM_CUDA
    // What cuBLAS, column-major, takes for outᵀ = op(b)ᵀ · op(a)ᵀ.
    const auto length = [](std::size_t n) { return static_cast<int>(n); };
    const std::size_t depth = op_a == Op::plain ? a.extent(1) : a.extent(0);
    if (depth == 0) {  // which cuBLAS refuses
      check(
          cudaMemsetAsync(out.data(), 0, out.size() * sizeof(T), stream_of(queue.thrust_policy())),
          "product of nothing");
      return;
    }
    const T none = 0;
    check(gemm(queue.context().blas().on(stream_of(queue.thrust_policy())),
               op_b == Op::plain ? CUBLAS_OP_N : CUBLAS_OP_T,
               op_a == Op::plain ? CUBLAS_OP_N : CUBLAS_OP_T, length(out.extent(1)),
               length(out.extent(0)), length(depth), &factor, b.data(), length(b.extent(1)),
               a.data(), length(a.extent(1)), &none, out.data(), length(out.extent(1))),
          "product by cuBLAS");
    finish(queue.thrust_policy());
#endif
  } else {
    const HostAccess<Queue<P, A>> access;
    const auto left = as_eigen(a);
    const auto right = as_eigen(b);
    auto result = as_eigen(out);
    if constexpr (op_a == Op::plain && op_b == Op::plain) {
      result.noalias() = factor * left * right;
    } else if constexpr (op_a == Op::plain) {
      result.noalias() = factor * left * right.transpose();
    } else {
      static_assert(op_b == Op::plain, "nobody has asked for this product yet");
      result.noalias() = factor * left.transpose() * right;
    }
  }
}

}  // namespace unlearn::cuda::detail
