target_compile_definitions(backend_tests PRIVATE ASTROCLIP_BACKEND_HEADER="${PROJECT_SOURCE_DIR}/core/backend/backend.h")
