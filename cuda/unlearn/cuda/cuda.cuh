// SPDX-License-Identifier: Apache-2.0
#pragma once

/// @file
/// The CUDA backend: Thrust, cuBLAS and kernels of its own. The same sources run on Thrust's
/// systems of the host (CPP, OMP, TBB); THRUST_DEVICE_SYSTEM says which is meant by default.
///
///   device.cuh           Device, the backend of the library; on() makes one
///   queue.cuh            Queue and Context: where kernels run, and what their calls share
///   fill.cuh             the same number in many places
///   finite.cuh           whether numbers are finite, for ProjectedSignDescent
///   gather.cuh           rows of a batch; the order of its captions
///   hotflip.cuh          HotFlipCandidateSearch on a device; rank_tokens
///   info_nce.cuh         the loss with its gradients
///   info_nce_scorer.cuh  the loss with one caption replaced, for many candidates
///   sign_step.cuh        PixelGridSet and BallAndBoxSet on a device; HalfNoise
///   torch.cuh            PyTorch's memory, stream and tensors; left out here
///
/// Signals and noise in the device's memory are the library's DevicePairSource and
/// DeviceNoiseStore, in unlearn/device.

#include "unlearn/cuda/arena.cuh"
#include "unlearn/cuda/buffer.cuh"
#include "unlearn/cuda/device.cuh"
#include "unlearn/cuda/fill.cuh"
#include "unlearn/cuda/finite.cuh"
#include "unlearn/cuda/gather.cuh"
#include "unlearn/cuda/hotflip.cuh"
#include "unlearn/cuda/info_nce.cuh"
#include "unlearn/cuda/info_nce_scorer.cuh"
#include "unlearn/cuda/queue.cuh"
#include "unlearn/cuda/sign_step.cuh"
