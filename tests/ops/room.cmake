target_compile_definitions(ops_tests PRIVATE ASTROCLIP_CORE="${PROJECT_SOURCE_DIR}/core")
