# The tests read what is written with the library itself.
target_link_libraries(io_tests PRIVATE JPEG::JPEG PNG::PNG)
