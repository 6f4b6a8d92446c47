# Exported VOTables are read back by the library itself.
target_link_libraries(explore_tests PRIVATE PkgConfig::PUGIXML)
