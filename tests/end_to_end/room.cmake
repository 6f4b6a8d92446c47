# Whole runs of the built program, with the tree's plugins and experiments.
get_property(plugins GLOBAL PROPERTY ASTROCLIP_PLUGINS)
add_dependencies(end_to_end_tests astroclip_cli ${plugins})
target_compile_definitions(end_to_end_tests PRIVATE
  ASTROCLIP_BINARY="${CMAKE_BINARY_DIR}/bin/astroclip" ASTROCLIP_EXPERIMENTS="${CMAKE_SOURCE_DIR}/experiments"
  ASTROCLIP_END_TO_END="${CMAKE_SOURCE_DIR}/tests/end_to_end" ASTROCLIP_SHARED_DATA="${CMAKE_SOURCE_DIR}/../shared/data")
# HDF5 layouts that the program itself does not write.
target_link_libraries(end_to_end_tests PRIVATE HDF5::HDF5)
