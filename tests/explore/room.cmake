# Exported VOTables are read back by the library itself.
target_link_libraries(explore_tests PRIVATE PkgConfig::PUGIXML)
target_compile_definitions(explore_tests PRIVATE ASTROCLIP_PAGE="${PROJECT_SOURCE_DIR}/core/explore/page")
