# Run by cpack (and tools/gpu_check --pack) between installing and packing: copies the libraries that the programs and
# plugins need beside libastroclip.so, where their RPATH finds them. The C library is not copied, because it must match the
# system's loader and kernel; the C++ library is, for systems with an older one. NVIDIA's libraries are those of the card's
# machine: they must match its driver, and are larger than everything else together.
set(root ${CPACK_TEMPORARY_DIRECTORY})
file(GLOB_RECURSE own ${root}/lib/*.so)
file(GLOB programs ${root}/bin/*)
file(GET_RUNTIME_DEPENDENCIES EXECUTABLES ${programs} LIBRARIES ${own}
     RESOLVED_DEPENDENCIES_VAR found UNRESOLVED_DEPENDENCIES_VAR missing
     PRE_EXCLUDE_REGEXES "^ld-linux" "^lib(c|m|dl|rt|pthread|resolv|util|nsl|anl)\\.so"
                         "^lib(cuda|cudart|cublas|cublasLt|cudnn.*|nvrtc.*|nvJitLink)\\.so"
     POST_EXCLUDE_REGEXES "^${root}/")
if(missing)
  message(FATAL_ERROR "These libraries were not found: ${missing}")
endif()
foreach(library ${found})
  file(COPY ${library} DESTINATION ${root}/lib FOLLOW_SYMLINK_CHAIN)
endforeach()
