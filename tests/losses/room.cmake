# The tests load the tree's losses.
get_property(plugins GLOBAL PROPERTY ASTROCLIP_PLUGINS)
add_dependencies(losses_tests ${plugins})
