target_compile_definitions(backend_tests PRIVATE ASTROCLIP_BACKEND_HEADER="${PROJECT_SOURCE_DIR}/core/backend/backend.h")
# The tests select the instruction tiers of the SIMD kernels.
target_link_libraries(backend_tests PRIVATE hwy::hwy)
