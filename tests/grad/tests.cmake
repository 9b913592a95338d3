rondo_test(grad_test
  SOURCES grad/grad_test.cpp grad/lengths_test.cpp grad/differentiate.cpp
  LIBS rondo_passes rondo_test_support)
