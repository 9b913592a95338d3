rondo_test(runtime_test LIBS rondo_runtime
  SOURCES runtime/weights_test.cpp runtime/safetensors_test.cpp runtime/program_test.cpp runtime/count_allocations.cpp
    runtime/checkpoint_test.cpp runtime/text_data_test.cpp runtime/progress_test.cpp runtime/training_test.cpp)
rondo_test(corpora_test LIBS rondo_runtime LABELS cases SOURCES runtime/corpora_test.cpp)
