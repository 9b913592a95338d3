rondo_test(runtime_test
  SOURCES runtime/weights_test.cpp runtime/safetensors_test.cpp runtime/program_test.cpp
    runtime/count_allocations.cpp runtime/checkpoint_test.cpp runtime/text_data_test.cpp
    runtime/progress_test.cpp runtime/training_test.cpp runtime/schedule_test.cpp runtime/threads_test.cpp
    runtime/crowd_test.cpp
  LIBS rondo_runtime)
rondo_test(corpora_test SOURCES runtime/corpora_test.cpp LIBS rondo_runtime LABELS cases)
