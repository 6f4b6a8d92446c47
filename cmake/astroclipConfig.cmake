include(${CMAKE_CURRENT_LIST_DIR}/astroclipTargets.cmake)

# astroclip_add_plugin(NAME SOURCE…): a shared object NAME.so that the host finds through --plugins or
# ASTROCLIP_PLUGIN_PATH. NAME is the plugin's name in its record.
function(astroclip_add_plugin name)
  add_library(${name} MODULE ${ARGN})
  set_target_properties(${name} PROPERTIES PREFIX "" CXX_VISIBILITY_PRESET hidden VISIBILITY_INLINES_HIDDEN ON)
  target_link_libraries(${name} PRIVATE astroclip::astroclip)
endfunction()
