rondo_test(lower_test SOURCES ${CMAKE_CURRENT_LIST_DIR}/lower_test.cpp LIBS rondo_passes rondo_codegen rondo_test_support)
rondo_test(bound_rows_test SOURCES ${CMAKE_CURRENT_LIST_DIR}/bound_rows_test.cpp LIBS rondo_passes rondo_codegen rondo_test_support)
rondo_test(nest_buffers_test SOURCES ${CMAKE_CURRENT_LIST_DIR}/nest_buffers_test.cpp LIBS rondo_passes rondo_codegen rondo_test_support)
rondo_test(merge_sums_test SOURCES ${CMAKE_CURRENT_LIST_DIR}/merge_sums_test.cpp LIBS rondo_passes rondo_codegen rondo_test_support)
