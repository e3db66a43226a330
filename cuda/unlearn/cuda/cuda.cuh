// SPDX-License-Identifier: Apache-2.0
#pragma once

/// @file
/// The CUDA backend: Thrust, cuBLAS and kernels of its own. The same sources run on Thrust's
/// systems of the host (CPP, OMP, TBB); THRUST_DEVICE_SYSTEM says which is meant by default.
///
///   device.cuh             Device, an execution policy; Context, what its calls share
///   sign_step.cuh          PixelGridSet and BallAndBoxSet on a device; HalfNoise
///   finite.cuh             whether numbers are finite, for ProjectedSignDescent
///   hotflip.cuh            HotFlipCandidateSearch on a device; rank_tokens
///   info_nce.cuh           the loss with its gradients
///   candidate_scoring.cuh  the loss with one caption replaced, for many candidates
///   gather.cuh             rows of a batch; the order of its captions
///   device_pairs.cuh       signals of a pair source, kept on the device or brought batch by batch
///   device_noise.cuh       noise, likewise
///   torch.cuh              PyTorch's memory, stream and tensors; left out here

#include "unlearn/cuda/arena.cuh"
#include "unlearn/cuda/buffer.cuh"
#include "unlearn/cuda/device.cuh"
#include "unlearn/cuda/device_noise_store.cuh"
#include "unlearn/cuda/device_pair_source.cuh"
#include "unlearn/cuda/finite.cuh"
#include "unlearn/cuda/gather.cuh"
#include "unlearn/cuda/hotflip.cuh"
#include "unlearn/cuda/info_nce.cuh"
#include "unlearn/cuda/info_nce_scorer.cuh"
#include "unlearn/cuda/sign_step.cuh"
