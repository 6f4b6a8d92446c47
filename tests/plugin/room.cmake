# Small valid and invalid plugins, which the host's tests copy into temporary folders.
file(GLOB plugin_sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_LIST_DIR}/plugins/*.cpp)
foreach(source ${plugin_sources})
  get_filename_component(plugin ${source} NAME_WE)
  add_library(test_plugin_${plugin} MODULE ${source})
  set_target_properties(test_plugin_${plugin} PROPERTIES
    PREFIX "" OUTPUT_NAME ${plugin} CXX_VISIBILITY_PRESET hidden VISIBILITY_INLINES_HIDDEN ON
    LIBRARY_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests/plugins)
  target_link_libraries(test_plugin_${plugin} PRIVATE astroclip)
  add_dependencies(plugin_tests test_plugin_${plugin})
endforeach()
target_compile_definitions(plugin_tests PRIVATE TEST_PLUGINS="${CMAKE_BINARY_DIR}/tests/plugins")
