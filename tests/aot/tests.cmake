rondo_test(aot_library_test SOURCES aot/library_test.cpp LIBS rondo_frontend)
target_compile_definitions(aot_library_test PRIVATE RONDO_CC="${CMAKE_C_COMPILER}" RONDO_CXX="${CMAKE_CXX_COMPILER}"
                           RONDO_SAMPLES="${CMAKE_CURRENT_LIST_DIR}")
