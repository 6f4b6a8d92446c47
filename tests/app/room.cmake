# The tests run the program with the host's test plugins.
target_link_libraries(app_tests PRIVATE astroclip_app)
file(GLOB test_plugins ${CMAKE_CURRENT_LIST_DIR}/../plugin/plugins/*.cpp)
foreach(source ${test_plugins})
  get_filename_component(plugin ${source} NAME_WE)
  add_dependencies(app_tests test_plugin_${plugin})
endforeach()
target_compile_definitions(app_tests PRIVATE
  TEST_PLUGINS="${CMAKE_BINARY_DIR}/tests/plugins" SOURCE_ROOT="${CMAKE_SOURCE_DIR}" DOCS="${CMAKE_SOURCE_DIR}/docs")
