target_compile_definitions(end_to_end_tests PRIVATE ASTROCLIP_END_TO_END="${CMAKE_CURRENT_SOURCE_DIR}/end_to_end")
# A dataset from elsewhere: the template's.
add_library(test_plugin_my_dataset MODULE ${PROJECT_SOURCE_DIR}/templates/dataset/my_dataset.cpp)
set_target_properties(test_plugin_my_dataset PROPERTIES
  PREFIX "" OUTPUT_NAME my_dataset CXX_VISIBILITY_PRESET hidden VISIBILITY_INLINES_HIDDEN ON
  LIBRARY_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests/datasets)
target_link_libraries(test_plugin_my_dataset PRIVATE astroclip)
add_dependencies(end_to_end_tests test_plugin_my_dataset)
target_compile_definitions(end_to_end_tests PRIVATE TEST_DATASETS="${CMAKE_BINARY_DIR}/tests/datasets")
