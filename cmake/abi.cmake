# The public headers, and plugin/abi.h with their hash, which host and plugins compare.
file(STRINGS floors.txt room_lines REGEX "^[a-z]")
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS floors.txt)
set(public_headers plugin/record.h plugin/spec.h)
set(test_headers "")
foreach(line ${room_lines})
  string(REGEX MATCH "^([a-z]+) +([a-z]+)" matched "${line}")
  set(room ${CMAKE_MATCH_1})
  set(audience ${CMAKE_MATCH_2})
  file(GLOB_RECURSE headers CONFIGURE_DEPENDS RELATIVE ${CMAKE_CURRENT_SOURCE_DIR} ${room}/*.h)
  list(FILTER headers EXCLUDE REGEX "^backend/(cpu|cuda|reference)/|_internal\\.h$")
  if(audience STREQUAL plugins)
    list(APPEND public_headers ${headers})
  elseif(audience STREQUAL tests)
    list(APPEND test_headers ${headers})
  endif()
endforeach()
list(SORT public_headers)
set(abi_list ${CMAKE_BINARY_DIR}/public_headers.txt)
string(REPLACE ";" "\n" abi_lines "${public_headers}")
file(CONFIGURE OUTPUT ${abi_list} CONTENT "${abi_lines}\n" @ONLY)

set(abi_include ${CMAKE_BINARY_DIR}/generated)
set(abi_header ${abi_include}/plugin/abi.h)
list(TRANSFORM public_headers PREPEND ${CMAKE_CURRENT_SOURCE_DIR}/ OUTPUT_VARIABLE abi_sources)
add_custom_command(
  OUTPUT ${abi_header}
  COMMAND ${CMAKE_COMMAND} -DLIST=${abi_list} -DROOT=${CMAKE_CURRENT_SOURCE_DIR}
          -DTEMPLATE=${PROJECT_SOURCE_DIR}/cmake/abi.h.in -DOUT=${abi_header}
          -P ${PROJECT_SOURCE_DIR}/cmake/write_abi.cmake
  DEPENDS ${abi_list} ${abi_sources} ${PROJECT_SOURCE_DIR}/cmake/abi.h.in ${PROJECT_SOURCE_DIR}/cmake/write_abi.cmake
  COMMENT "Hashing the public headers")
