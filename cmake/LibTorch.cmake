# SPDX-License-Identifier: Apache-2.0
# find_package(Torch), if there is one; as a macro, since its targets belong to the caller's folder.
macro(unlearn_find_torch)
  find_package(Torch QUIET)
  # PyTorch's package wants CUDA's C++20 by a name that CMake 3.25 lacks; unlearn::cuda asks for it.
  set(CMAKE_CUDA_STANDARD_REQUIRED OFF)
  # Its libraries find those that came with them; the linker might find other versions.
  if(TARGET torch_cuda)
    set_property(TARGET torch APPEND PROPERTY INTERFACE_LINK_OPTIONS -Wl,--allow-shlib-undefined)
  endif()
endmacro()
