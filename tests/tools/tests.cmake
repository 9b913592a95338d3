rondo_test(tools_test SOURCES tools/tools_test.cpp tools/bench_test.cpp LIBS rondo_runtime)
target_compile_definitions(tools_test PRIVATE RONDO_TOOL="$<TARGET_FILE:rondo>" RONDO_SAMPLES="${CMAKE_CURRENT_LIST_DIR}")
add_dependencies(tools_test rondo)
