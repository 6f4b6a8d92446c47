# The tests compile the simulation, because a plugin exports only its record.
set(simulation ${PROJECT_SOURCE_DIR}/plugins/datasets/simulated_survey)
target_sources(datasets_tests PRIVATE ${simulation}/galaxy.cpp ${simulation}/image.cpp ${simulation}/spectrum.cpp
               ${simulation}/survey.cpp)
target_include_directories(datasets_tests PRIVATE ${simulation})
