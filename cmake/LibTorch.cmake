# SPDX-License-Identifier: Apache-2.0
# Calls find_package(Torch) if Torch is installed. This is a macro because its targets must belong to
# the caller's folder. Call it before the folder's first target.
macro(unlearn_find_torch)
  find_package(Torch QUIET)
  # PyTorch's package requests C++20 for CUDA by a name that CMake 3.25 does not know. unlearn::cuda
  # requests it by a compiler option.
  set(CMAKE_CUDA_STANDARD_REQUIRED OFF)
  if(TARGET torch_cuda)
    # At run time PyTorch's libraries find the libraries that came with them. The linker does not.
    set_property(TARGET torch APPEND PROPERTY INTERFACE_LINK_OPTIONS -Wl,--allow-shlib-undefined)
    # Our programs must load the same ones: the toolkit's cuBLAS does not fit PyTorch's cuBLASLt.
    file(GLOB unlearn_torch_companions ${TORCH_INSTALL_PREFIX}/../nvidia/*/lib)
    list(PREPEND CMAKE_BUILD_RPATH ${unlearn_torch_companions})
  endif()
endmacro()
