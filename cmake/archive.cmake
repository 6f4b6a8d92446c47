# cpack (or `cmake --build build --target package`) writes a .tar.gz that runs from any folder: the installed files and
# every library that they need except the C library.
set(CPACK_GENERATOR TGZ)
set(CPACK_PACKAGE_VENDOR astroclip)
string(TOLOWER ${CMAKE_SYSTEM_NAME}-${CMAKE_SYSTEM_PROCESSOR} system)
set(CPACK_PACKAGE_FILE_NAME astroclip-${PROJECT_VERSION}-${system})
set(CPACK_STRIP_FILES ON)
set(CPACK_VERBATIM_VARIABLES ON)
set(CPACK_PRE_BUILD_SCRIPTS ${PROJECT_SOURCE_DIR}/cmake/carry_libraries.cmake)
include(CPack)
