rondo_test(code_cache_test SOURCES ${CMAKE_CURRENT_LIST_DIR}/code_cache_test.cpp LIBS rondo_codegen)
target_compile_definitions(code_cache_test PRIVATE RONDO_CMAKE="${CMAKE_COMMAND}")
rondo_test(cached_compile_test SOURCES ${CMAKE_CURRENT_LIST_DIR}/cached_compile_test.cpp LIBS rondo_codegen rondo_test_support)
