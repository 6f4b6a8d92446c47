# The tests select the instruction tiers of the SIMD kernels.
target_link_libraries(backend_tests PRIVATE hwy::hwy)
# Attention in bf16 has a path for processors with AMX, which all other tests take where there is one.
add_test(NAME backend.attention_without_amx COMMAND backend_tests --gtest_filter=*ttention*)
set_tests_properties(backend.attention_without_amx PROPERTIES ENVIRONMENT ONEDNN_MAX_CPU_ISA=AVX512_CORE_BF16)
