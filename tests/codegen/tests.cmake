set(codegen_util ${CMAKE_CURRENT_LIST_DIR}/loop_programs.cpp)
rondo_test(codegen_vector_test SOURCES ${CMAKE_CURRENT_LIST_DIR}/vector_test.cpp ${codegen_util} LIBS rondo_codegen)
rondo_test(codegen_gemm_test SOURCES ${CMAKE_CURRENT_LIST_DIR}/gemm_test.cpp ${codegen_util} LIBS rondo_codegen)
