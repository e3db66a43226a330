// SPDX-License-Identifier: Apache-2.0
#pragma once

/// @file
/// Function annotations that nvcc needs and the host compiler does not know.
///
/// UNLEARN_KERNELS is there where kernels can be compiled: by nvcc, or by a host compiler that was
/// told what CUDA's words mean (the tests run the kernels on threads of the host).

#ifdef __CUDACC__
#define UNLEARN_KERNELS
#define UNLEARN_HOST_DEVICE __host__ __device__
// Before a template that calls what it is given: nvcc would warn of every host function that some
// instance of it could call on the device.
#define UNLEARN_EXEC_CHECK_DISABLE _Pragma("nv_exec_check_disable")
#else
#define UNLEARN_HOST_DEVICE
#define UNLEARN_EXEC_CHECK_DISABLE
#endif
