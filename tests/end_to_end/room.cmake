target_compile_definitions(end_to_end_tests PRIVATE ASTROCLIP_END_TO_END="${CMAKE_CURRENT_SOURCE_DIR}/end_to_end")
