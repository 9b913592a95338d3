rondo_test(run_test SOURCES ${CMAKE_CURRENT_LIST_DIR}/run_test.cpp LIBS rondo_passes rondo_codegen rondo_test_support)
target_compile_definitions(run_test PRIVATE RONDO_RUN_CASES="${CMAKE_CURRENT_LIST_DIR}")
