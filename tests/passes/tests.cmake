rondo_test(passes_test
  SOURCES passes/passes_test.cpp passes/rules_test.cpp passes/pipeline_test.cpp passes/golden_test.cpp runtime/count_allocations.cpp
  LIBS rondo_passes)
