# The tests compile the simulation, because a plugin exports only its record.
set(simulation ${PROJECT_SOURCE_DIR}/plugins/datasets/simulated_survey)
file(GLOB parts CONFIGURE_DEPENDS ${simulation}/*.cpp)
list(FILTER parts EXCLUDE REGEX "/simulated_survey.cpp$")
target_sources(datasets_tests PRIVATE ${parts})
target_include_directories(datasets_tests PRIVATE ${simulation})
