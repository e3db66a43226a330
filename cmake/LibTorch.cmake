# SPDX-License-Identifier: Apache-2.0
# find_package(Torch), if there is one; as a macro, since its targets belong to the caller's folder.
# Before the folder's first target.
macro(unlearn_find_torch)
  find_package(Torch QUIET)
  # PyTorch's package wants CUDA's C++20 by a name that CMake 3.25 lacks; unlearn::cuda asks for it.
  set(CMAKE_CUDA_STANDARD_REQUIRED OFF)
  if(TARGET torch_cuda)
    # Its libraries find those that came with them, but not for the linker.
    set_property(TARGET torch APPEND PROPERTY INTERFACE_LINK_OPTIONS -Wl,--allow-shlib-undefined)
    # And ours are to be the same ones: the toolkit's cuBLAS is no match for PyTorch's cuBLASLt.
    file(GLOB unlearn_torch_companions ${TORCH_INSTALL_PREFIX}/../nvidia/*/lib)
    list(PREPEND CMAKE_BUILD_RPATH ${unlearn_torch_companions})
  endif()
endmacro()
