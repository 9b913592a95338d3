rondo_test(runtime_test LIBS rondo_runtime
  SOURCES runtime/weights_test.cpp runtime/safetensors_test.cpp runtime/program_test.cpp runtime/count_allocations.cpp)
