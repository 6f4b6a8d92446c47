# Run by cpack between installing and packing: copies the libraries that the program and its plugins need beside
# libastroclip.so, where their RPATH finds them. The C library is not copied, because it must match the system's loader
# and kernel; the C++ library is, for systems with an older one.
set(root ${CPACK_TEMPORARY_DIRECTORY})
file(GLOB_RECURSE own ${root}/lib/*.so)
file(GET_RUNTIME_DEPENDENCIES EXECUTABLES ${root}/bin/astroclip LIBRARIES ${own}
     RESOLVED_DEPENDENCIES_VAR found UNRESOLVED_DEPENDENCIES_VAR missing
     PRE_EXCLUDE_REGEXES "^ld-linux" "^lib(c|m|dl|rt|pthread|resolv|util|nsl|anl)\\.so"
     POST_EXCLUDE_REGEXES "^${root}/")
if(missing)
  message(FATAL_ERROR "These libraries were not found: ${missing}")
endif()
foreach(library ${found})
  file(COPY ${library} DESTINATION ${root}/lib FOLLOW_SYMLINK_CHAIN)
endforeach()
