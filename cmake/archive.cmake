# cpack (or `cmake --build build --target package`) writes a .tar.gz that runs from any folder: the installed files and
# every library that they need except the C library and NVIDIA's.
set(CPACK_GENERATOR TGZ)
set(CPACK_PACKAGE_VENDOR astroclip)
string(TOLOWER ${CMAKE_SYSTEM_NAME}-${CMAKE_SYSTEM_PROCESSOR} system)
set(CPACK_PACKAGE_FILE_NAME astroclip-${PROJECT_VERSION}-${system})
set(CPACK_STRIP_FILES ON)
set(CPACK_VERBATIM_VARIABLES ON)
set(CPACK_PRE_BUILD_SCRIPTS ${PROJECT_SOURCE_DIR}/cmake/carry_libraries.cmake)
include(CPack)

# The test programs that tools/gpu_check takes to a machine with a card.
if(ASTROCLIP_TESTS)
  foreach(room backend evaluate models nn ops optim probe train)
    install(TARGETS ${room}_tests RUNTIME DESTINATION bin COMPONENT tests EXCLUDE_FROM_ALL)
  endforeach()
endif()
