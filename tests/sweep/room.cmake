# Experiments name the tree's plugins.
get_property(plugins GLOBAL PROPERTY ASTROCLIP_PLUGINS)
add_dependencies(sweep_tests ${plugins})
