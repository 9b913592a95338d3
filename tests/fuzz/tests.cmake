rondo_test(ir_fuzz_test
  SOURCES fuzz/ir_fuzz_test.cpp
  LIBS rondo_ir rondo_test_support)
rondo_test(codegen_fuzz_test
  SOURCES fuzz/codegen_fuzz_test.cpp
  LIBS rondo_passes rondo_codegen rondo_test_support)
rondo_test(codegen_long_fuzz_test
  SOURCES fuzz/codegen_fuzz_test.cpp
  LIBS rondo_passes rondo_codegen rondo_test_support
  LABELS slow)
target_compile_definitions(codegen_long_fuzz_test PRIVATE RONDO_MANY_FUNCTIONS)
rondo_test(passes_fuzz_test
  SOURCES fuzz/passes_fuzz_test.cpp
  LIBS rondo_passes rondo_test_support)
rondo_test(ragged_fuzz_test
  SOURCES fuzz/ragged_fuzz_test.cpp
  LIBS rondo_passes rondo_codegen rondo_test_support)
rondo_test(training_fuzz_test
  SOURCES fuzz/training_fuzz_test.cpp
  LIBS rondo_passes rondo_codegen rondo_test_support)
