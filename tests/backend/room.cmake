target_compile_definitions(backend_tests PRIVATE ASTROCLIP_CORE="${PROJECT_SOURCE_DIR}/core")
# The tests select the instruction tiers of the SIMD kernels.
target_link_libraries(backend_tests PRIVATE hwy::hwy)
