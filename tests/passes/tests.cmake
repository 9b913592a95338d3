rondo_test(passes_test
  SOURCES passes/passes_test.cpp
  LIBS rondo_passes)
