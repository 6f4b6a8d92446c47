# Writes the header OUT with the commit of the tree ROOT, if it changed.
cmake_minimum_required(VERSION 3.25)
execute_process(COMMAND git -C ${ROOT} describe --always --abbrev=12 --exclude * --dirty=-modified
                OUTPUT_VARIABLE commit OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET RESULT_VARIABLE failure)
if(failure)
  set(commit "")
endif()
file(CONFIGURE OUTPUT ${OUT} CONTENT "#pragma once\n\n/// Of the sources; empty when they are in no repository.\n#define ASTROCLIP_COMMIT \"@commit@\"\n" @ONLY)
