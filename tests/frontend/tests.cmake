set(frontend_tests
    ops
    errors
    scan
    layers
    cell_options
    sequence
    lengths
    random
    losses
    ctc
    check_gradients
    optimizers
    training
    truncated
    short_sums
    stash
    native)
foreach(test ${frontend_tests})
  rondo_test(frontend_${test}_test SOURCES frontend/${test}_test.cpp frontend/reference.cpp LIBS rondo_frontend)
endforeach()
rondo_test(frontend_threads_test SOURCES frontend/threads_test.cpp LIBS rondo_frontend rondo_test_support)
rondo_test(frontend_row_blocks_test SOURCES frontend/row_blocks_test.cpp LIBS rondo_frontend rondo_test_support)
rondo_test(frontend_frozen_test SOURCES frontend/frozen_test.cpp runtime/count_allocations.cpp
  LIBS rondo_frontend rondo_test_support)
rondo_test(frontend_tune_test LABELS slow SOURCES frontend/tune_test.cpp LIBS rondo_frontend rondo_test_support)
rondo_test(frontend_sampling_test SOURCES frontend/sampling_test.cpp frontend/reference.cpp LIBS rondo_frontend)
rondo_test(frontend_large_vocabulary_test SOURCES frontend/large_vocabulary_test.cpp frontend/reference.cpp
  LIBS rondo_frontend rondo_test_support)
