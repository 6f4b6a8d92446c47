# FITS files to import are written by the tests through cfitsio.
target_link_libraries(data_tests PRIVATE PkgConfig::CFITSIO)
target_compile_definitions(data_tests PRIVATE ASTROCLIP_SHARED_DATA="${PROJECT_SOURCE_DIR}/../shared/data")
# HDF5 layouts that the program itself does not write.
target_link_libraries(data_tests PRIVATE HDF5::HDF5)
