# Experiments name the tree's plugins.
get_property(plugins GLOBAL PROPERTY ASTROCLIP_PLUGINS)
add_dependencies(train_tests ${plugins})
target_compile_definitions(train_tests PRIVATE ASTROCLIP_EXPERIMENTS="${CMAKE_SOURCE_DIR}/experiments")
